#!/usr/bin/env bash
# The floor: no rolling deploy can be faster, because it does only what is necessary and uses HAProxy's state, which
# DigitalOcean does not offer. No upload, no lock, no checks, no rollback.
# Usage: floor.sh NAME:ID... with API, TOKEN, BALANCER, STATE, SSH_CONFIG, COMPOSE (the compose command on a droplet).
set -euo pipefail

on() { ssh -F "$SSH_CONFIG" "$1" "$2"; }
api() {
  curl -sf -o /dev/null -X "$1" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d "{\"droplet_ids\":[$2]}" "$API/load_balancers/$BALANCER/droplets"
}
# STATUS SESSIONS, e.g. `UP 3` or `MAINT 0`.
state() { curl -sf "$STATE" | awk -F, -v server="droplet-$1" '$1 == "droplets" && $2 == server { print $18, $5 }'; }

for droplet in "$@"; do on "${droplet%:*}" "$COMPOSE pull --quiet" & done
wait

for droplet in "$@"; do
  name=${droplet%:*} id=${droplet#*:}
  api DELETE "$id"
  until [ "$(state "$id")" = 'MAINT 0' ]; do sleep 0.1; done
  on "$name" "$COMPOSE up --detach --no-build --quiet-pull --wait"
  api POST "$id"
  until [[ $(state "$id") == 'UP '[0-9]* ]]; do sleep 0.1; done
done
