#!/usr/bin/env bash
# The classic deploy script: leave, copy, start-up script, rejoin. It does not wait for anything.
# Usage: classic.sh NAME:ID... with API, TOKEN, BALANCER, SSH_CONFIG, COMPOSE (the compose command on a droplet).
set -euo pipefail

api() {
  curl -sf -o /dev/null -X "$1" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d "{\"droplet_ids\":[$2]}" "$API/load_balancers/$BALANCER/droplets"
}

for droplet in "$@"; do
  name=${droplet%:*} id=${droplet#*:}
  api DELETE "$id"
  scp -q -r -F "$SSH_CONFIG" compose config "$name:shop/"
  # COMPOSE is expanded on this side.
  # shellcheck disable=SC2087
  ssh -F "$SSH_CONFIG" "$name" bash -s <<SCRIPT
set -e
$COMPOSE down
docker system prune --all --force
$COMPOSE pull --quiet
$COMPOSE up --detach --no-build
SCRIPT
  api POST "$id"
done
