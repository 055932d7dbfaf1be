#!/bin/sh
# Runs on a droplet, in the folder of a release. Verbs:
#
#   pull   log in to the registry (password on standard input) and pull all images of the release; `pull unbuilt`: only
#          images that are not built here
#   manifests   log in to the registry, and print the manifests of the given images: one line of JSON for each, in their order,
#          or an empty line if the registry does not answer in 5 s
#   build  log in to the registry, and build the images of services with a build context
#   up     start the containers of the release with images that are already here. `up again` also recreates unchanged
#          containers. `up only SERVICE...` and `up again only SERVICE...` leave all other services as they are
#   prune  remove old releases, given by the names of their folders, and images, given by their ids. Exit code 75: nothing
#          was removed, because a deploy of another app is bringing images here. Exit code 73: a release was kept, because
#          its folder holds files that do-deploy did not put there
#   sweep  remove the images that do-deploy named in the given repositories and that no release here needs, such as those of
#          a deploy that failed before its release was complete. Exit code 75: as for `prune`
#
# It reads only these variables:
#
#   APP            compose project name
#   DEPLOY_ENV     environment, for compose files
#   IMAGE_TAG      tag of the release's images, for compose files
#   COMPOSE_FILES  compose files in order, separated by spaces, relative to the release
#   ENV_FILES      env files for compose's interpolation, likewise; may be empty
#   COMPOSE_PROFILES   compose profiles that are on, separated by commas; absent: none, or those that an env file sets
#   TMPDIR         where a login is kept if /dev/shm cannot be written; may be absent
#   REGISTRY_SERVER, REGISTRY_USERNAME   only for `pull`, `manifests` and `build`; absent: no login
#   REGISTRY_AUTH  `stdin`: instead of a user name; standard input has the login as Docker's config.json has it, in base64
#
# It never removes volumes, or anything that a container or a kept release uses.
set -eu

verb=${1:?'usage: start-up.sh pull [unbuilt]|manifests|build|up [again] [only SERVICE...]|prune|sweep'}
shift
cd "$(dirname "$0")/.."
export DEPLOY_ENV IMAGE_TAG
if [ -n "${COMPOSE_PROFILES:-}" ]; then export COMPOSE_PROFILES; fi

compose() {
  # "$@" becomes the -f and --env-file options, so that their values are not split again.
  command=$*
  set --
  for file in $COMPOSE_FILES; do set -- "$@" -f "$file"; done
  for file in ${ENV_FILES:-}; do set -- "$@" --env-file "$file"; done
  # The words of the command are this script's own and contain no spaces.
  # shellcheck disable=SC2086
  docker compose --project-name "$APP" "$@" $command
}

login=
answers=
clean_up() {
  for folder in "$login" "$answers"; do if [ -n "$folder" ]; then rm -rf "$folder"; fi; done
}

# Logs in with a temporary Docker configuration, which is removed when the script ends.
log_in() {
  home=${DOCKER_CONFIG:-$HOME/.docker}
  # A killed run could not remove its own: no run of this script takes an hour.
  find /dev/shm "${TMPDIR:-/tmp}" -maxdepth 1 -name 'do-deploy-login.*' -user "$(id -u)" -mmin +60 -exec rm -rf {} + 2>/dev/null || :
  # In memory where that is possible: then the password reaches no disk.
  DOCKER_CONFIG=$(mktemp -d /dev/shm/do-deploy-login.XXXXXX 2>/dev/null || mktemp -d "${TMPDIR:-/tmp}/do-deploy-login.XXXXXX")
  export DOCKER_CONFIG
  login=$DOCKER_CONFIG
  trap clean_up EXIT
  trap 'exit 1' HUP INT TERM
  # Docker looks for plugins, such as compose, below DOCKER_CONFIG.
  if [ -d "$home/cli-plugins" ]; then ln -s "$home/cli-plugins" "$DOCKER_CONFIG/cli-plugins"; fi
  if [ -n "${REGISTRY_AUTH:-}" ]; then
    # `docker login` would take the user's name, a secret here, as an argument that others can see.
    IFS= read -r auth
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$REGISTRY_SERVER" "$auth" >"$DOCKER_CONFIG/config.json"
    return
  fi
  # Docker warns that it stores the password unencrypted, which is true until the script ends.
  if ! docker login --username "$REGISTRY_USERNAME" --password-stdin "$REGISTRY_SERVER" >/dev/null 2>"$DOCKER_CONFIG/login.err"; then
    cat "$DOCKER_CONFIG/login.err" >&2
    exit 77
  fi
}

# To recreate a container, compose creates ID_NAME (the first 12 digits of the old one's id), removes the old one, and
# renames the new one. If compose is killed in between, ID_NAME is left, and its name prevents every later `up`.
remove_leftovers() {
  leftovers=$(docker ps -aq --filter "label=com.docker.compose.project=$APP" --filter 'name=^/?[0-9a-f]{12}_' \
    --filter status=created --filter status=exited --filter status=dead) || return 0
  # Ids are hexadecimal words.
  # shellcheck disable=SC2086
  if [ -n "$leftovers" ]; then docker rm $leftovers >/dev/null || :; fi
}

# Prints a file in the folder of a release that do-deploy did not put there, if there is one. A `prepare:` script may have
# added files until images.yml was written; with it, only later files count.
foreign_file() (
  cd "../$1"
  later=
  if [ -f images.yml ] && grep -q '"prepare":' release.json; then later='-cnewer images.yml'; fi
  {
    if [ -f SHA256SUMS ]; then sed 's|^[0-9a-f]* [ *]|./|' SHA256SUMS; fi
    printf './%s\n' SHA256SUMS images.yml release.json
    echo
    # shellcheck disable=SC2086
    find . -type f $later || echo './folders that cannot be read'
  } | awk 'listed && !($0 in known) { print substr($0, 3); exit } $0 == "" { listed = 1 } { known[$0] }'
)

# Waits until no deploy starts staging, which it prevents until this script ends. Images that a deploy of another app has
# pulled, but not recorded yet, look unused. This app has no other deploy: the one that removes holds the lock. Folders older
# than a day belong to deploys that were killed.
stop_staging() {
  exec 7>>../../../images.lock
  flock 7
  staging=$(find ../../../*/releases -maxdepth 1 -name '*.partial' -mtime -1 ! -path "../../../$APP/*" 2>/dev/null || :)
  if [ -z "$staging" ]; then return 0; fi
  echo "start-up.sh $verb: nothing was removed, because another deploy is bringing images here" >&2
  exit 75
}

# Whether a release that is kept here, of this app or of another one, lists an image whose id begins like this.
is_needed() {
  cat ../../../*/releases/*/release.json 2>/dev/null | grep -qF "$1"
}

# Removes the names of an image: all of them, or only those in the repository. Docker removes the image with its last name.
# Fails if a container uses the image; without force, Docker keeps it anyway.
remove_names() {
  users=$(docker ps -aq --filter "ancestor=$1" 2>/dev/null) || return 1
  if [ -n "$users" ]; then return 1; fi
  names='{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}'
  for name in $(docker image inspect --format "$names" "$1" 2>/dev/null); do
    case $name in "${2:-$name}" | "${2:-}:"* | "${2:-}@"*) docker image rm "$name" >/dev/null 2>&1 || : ;; esac
  done
}

# An image without a name is removed by its id, which Docker refuses while it has several names.
remove_image() {
  if remove_names "$1"; then docker image rm "$1" >/dev/null 2>&1 || :; fi
}

case $verb in
  pull)
    case ${1:-} in
      '') unbuilt= ;;
      unbuilt) unbuilt=--ignore-buildable ;;
      *)
        echo "start-up.sh pull: unexpected argument '$1' (expected: unbuilt)" >&2
        exit 64
        ;;
    esac
    if [ -n "${REGISTRY_USERNAME:-}${REGISTRY_AUTH:-}" ]; then log_in; fi
    compose pull --quiet $unbuilt
    ;;
  manifests)
    if [ -n "${REGISTRY_USERNAME:-}${REGISTRY_AUTH:-}" ]; then log_in; fi
    answers=$(mktemp -d "${TMPDIR:-/tmp}/do-deploy-manifests.XXXXXX")
    trap clean_up EXIT
    trap 'exit 1' HUP INT TERM
    # This Docker pulls from them without TLS, too.
    insecure=$(docker info --format '{{range .RegistryConfig.IndexConfigs}}{{if not .Secure}}{{println .Name}}{{end}}{{end}}')
    number=0
    for image in "$@"; do
      number=$((number + 1))
      flag=
      if printf '%s\n' "$insecure" | grep -qxF "${image%%/*}"; then flag=--insecure; fi
      # Of a list, with --verbose Docker prints the manifest of every platform.
      # shellcheck disable=SC2086
      timeout 5 docker manifest inspect --verbose $flag "$image" 2>/dev/null >"$answers/$number" &
    done
    wait
    number=0
    for image in "$@"; do
      number=$((number + 1))
      # "Raw" repeats the manifest in base64.
      grep -v '^[[:space:]]*"Raw":' "$answers/$number" | tr -d '\n\t' | head -c 300000
      echo
    done
    ;;
  build)
    if [ -n "${REGISTRY_USERNAME:-}${REGISTRY_AUTH:-}" ]; then log_in; fi
    compose build
    ;;
  up)
    again=
    if [ "${1:-}" = again ]; then
      again=--force-recreate
      shift
    fi
    which=--remove-orphans
    only=
    case ${1:-} in
      '') ;;
      only)
        shift
        which=--no-deps
        # Names of services have no spaces.
        only=${*:?'usage: start-up.sh up only SERVICE...'}
        ;;
      *)
        echo "start-up.sh up: unexpected argument '$1' (expected: again or only)" >&2
        exit 64
        ;;
    esac
    # None of these words has spaces.
    # shellcheck disable=SC2086
    up() { compose up --detach --no-build --pull never $which $again $only; }
    remove_leftovers
    code=0
    output=$(up 2>&1) || code=$?
    case $code:$output in
      0:*) ;;
      *'is already in use by container'*)
        remove_leftovers
        code=0
        output=$(up 2>&1) || code=$?
        ;;
    esac
    if [ -n "$output" ]; then printf '%s\n' "$output"; fi
    exit $code
    ;;
  prune)
    stop_staging
    code=0
    for old in "$@"; do
      case $old in
        sha256:*)
          if ! is_needed "$old"; then remove_image "$old"; fi
          ;;
        */* | .* | '')
          echo "start-up.sh prune: not a release: $old" >&2
          exit 64
          ;;
        *)
          if ! [ -e "../$old" ]; then continue; fi
          found=$(foreign_file "$old" 2>/dev/null)
          if [ -z "$found" ]; then
            rm -rf "../$old"
          else
            echo "releases/$old was kept: do-deploy did not put $found there. Move it elsewhere, then remove the folder" >&2
            code=73
          fi
          ;;
      esac
    done
    exit $code
    ;;
  sweep)
    stop_staging
    for repository in "$@"; do
      docker image ls --no-trunc --format '{{.ID}} {{.Tag}}' "$repository" | while read -r id tag; do
        # The name that do-deploy gives ends with the first 12 digits of the image's id.
        own=${tag#do-deploy-}
        case ${#own}:$tag:$id in "12:do-deploy-$own:sha256:$own"*) ;; *) continue ;; esac
        if ! is_needed "sha256:$own"; then remove_names "$id" "$repository" || :; fi
      done
    done
    ;;
  *)
    echo "start-up.sh: unknown verb '$verb' (expected: pull, manifests, build, up, prune or sweep)" >&2
    exit 64
    ;;
esac
