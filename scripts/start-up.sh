#!/bin/sh
# Runs on a droplet, from the release's own folder. Verbs:
#
#   pull   log in to the registry (password on standard input) and pull every image of the release; `pull unbuilt` only
#          those that are not built here
#   build  log in likewise, and build the images of services with a build context
#   up     start the release's containers; uses only images that are already here. `up again` also replaces containers
#          that are as the release wants them
#   prune  remove what older releases left, and nothing else: folders and image ids given as arguments. Exit code 75:
#          a deploy of another app is bringing images here, so nothing was removed
#
# It reads these variables and no others:
#
#   APP            compose project name
#   DEPLOY_ENV     environment, for compose files
#   IMAGE_TAG      tag of the release's images, for compose files
#   COMPOSE_FILES  compose files in order, separated by spaces, relative to the release
#   ENV_FILES      env files for compose's interpolation, likewise; may be empty
#   REGISTRY_SERVER, REGISTRY_USERNAME   with `pull` and `build` only; absent: no login
#
# Volumes are never removed, nor anything that a container or a kept release uses.
set -eu

verb=${1:?'usage: start-up.sh pull [unbuilt]|build|up [again]|prune'}
shift
cd "$(dirname "$0")/.."
export DEPLOY_ENV IMAGE_TAG

compose() {
  # "$@" first grows to the -f and --env-file options, so that no word is split twice.
  command=$*
  set --
  for file in $COMPOSE_FILES; do set -- "$@" -f "$file"; done
  for file in ${ENV_FILES:-}; do set -- "$@" --env-file "$file"; done
  # The command's words are this script's own and hold no spaces.
  # shellcheck disable=SC2086
  docker compose --project-name "$APP" "$@" $command
}

# Logs in with a Docker configuration of its own, which is gone when the script ends: no credential stays behind.
log_in() {
  home=${DOCKER_CONFIG:-$HOME/.docker}
  DOCKER_CONFIG=$(mktemp -d)
  export DOCKER_CONFIG
  trap 'rm -rf "$DOCKER_CONFIG"' EXIT
  trap 'exit 1' HUP INT TERM
  # Plugins (compose itself, perhaps) are looked up below DOCKER_CONFIG.
  if [ -d "$home/cli-plugins" ]; then ln -s "$home/cli-plugins" "$DOCKER_CONFIG/cli-plugins"; fi
  # Docker warns that it stores the password unencrypted: it does, for the length of this pull.
  if ! docker login --username "$REGISTRY_USERNAME" --password-stdin "$REGISTRY_SERVER" >/dev/null 2>"$DOCKER_CONFIG/login.err"; then
    cat "$DOCKER_CONFIG/login.err" >&2
    exit 77
  fi
}

# Docker removes an image by its id only while it has a single name, and by its last name in any case. Nothing is forced:
# one that a container uses, running or not, keeps its names too.
remove_image() {
  users=$(docker ps -aq --filter "ancestor=$1" 2>/dev/null) || return 0
  if [ -n "$users" ]; then return 0; fi
  names='{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}'
  for name in $(docker image inspect --format "$names" "$1" 2>/dev/null) "$1"; do
    docker image rm "$name" >/dev/null 2>&1 || :
  done
}

case $verb in
  pull)
    case ${1:-} in
      '') unbuilt= ;;
      unbuilt) unbuilt=--ignore-buildable ;;
      *)
        echo "start-up.sh pull: unknown word '$1' (unbuilt)" >&2
        exit 64
        ;;
    esac
    if [ -n "${REGISTRY_USERNAME:-}" ]; then log_in; fi
    compose pull --quiet $unbuilt
    ;;
  build)
    if [ -n "${REGISTRY_USERNAME:-}" ]; then log_in; fi
    compose build
    ;;
  up)
    case ${1:-} in
      '') again= ;;
      again) again=--force-recreate ;;
      *)
        echo "start-up.sh up: unknown word '$1' (again)" >&2
        exit 64
        ;;
    esac
    compose up --detach --no-build --pull never --remove-orphans $again
    ;;
  prune)
    # Nobody begins to stage while this goes on.
    exec 7>>../../../images.lock
    flock 7
    # What another app's deploy has pulled, but not yet written down as its own, looks unused. (Of this app's nobody
    # else stages now: the deploy that prunes holds its lock.) One that died a day ago stages no more.
    staging=$(find ../../../*/releases -maxdepth 1 -name '*.partial' -mtime -1 ! -path "../../../$APP/*" 2>/dev/null || :)
    if [ -n "$staging" ]; then
      echo "start-up.sh prune: nothing is removed while another deploy brings images here" >&2
      exit 75
    fi
    for old in "$@"; do
      case $old in
        sha256:*)
          # A kept release may need it, of this app or of another one on this droplet.
          if cat ../../../*/releases/*/release.json 2>/dev/null | grep -qF "$old"; then continue; fi
          remove_image "$old"
          ;;
        */* | .* | '')
          echo "start-up.sh prune: not a release: $old" >&2
          exit 64
          ;;
        *) rm -rf "../$old" ;;
      esac
    done
    ;;
  *)
    echo "start-up.sh: unknown verb '$verb' (pull, build, up, prune)" >&2
    exit 64
    ;;
esac
