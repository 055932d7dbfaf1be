#!/usr/bin/env bash
# Installs what the end-to-end tests need, from Debian's packages, and nothing that is there already. As root.
# Usage: e2e-packages.sh CACHE [PROGRAM=PACKAGE...]; the latter are wanted besides.
# Debian 12 has no compose v2: Debian 13's package is kept in CACHE and installed nowhere.
set -euo pipefail
cache=${1:?'usage: e2e-packages.sh CACHE [PROGRAM=PACKAGE...]'}
shift
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
compose=$cache/docker-compose

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
PATH=$PATH:/usr/sbin:/sbin
need dockerd docker.io
need sshd openssh-server
need ip iproute2
need iptables iptables
need haproxy haproxy
need docker-registry docker-registry
need nginx nginx-light
need htpasswd apache2-utils
need sudo sudo
for pair in "$@"; do need "${pair%%=*}" "${pair#*=}"; done
if ! [ -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then missing+=(busybox-static); fi

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  # Of services that a package brings none is to start here: policy-rc.d says so, for this installation only.
  policy=/usr/sbin/policy-rc.d
  if ! [ -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! [ -x "$compose" ]; then
  apt=$cache/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources"
  # Where this machine gets its own packages from. apt-get fills in what stands in $(…).
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(SUITE)' 'Origin: Debian' 'Created-By: Packages' |
    sed -n '/security/d; s/ .*//; p; q')
  if [ -z "$mirror" ]; then
    echo "no Debian mirror is known here; run apt-get update" >&2
    exit 1
  fi
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" \
    >"$apt/sources/trixie.list"
  options=(-oDir::Etc::sourcelist=/dev/null "-oDir::Etc::sourceparts=$apt/sources" "-oDir::State::Lists=$apt/lists"
    "-oDir::Cache::archives=$apt/archives" -oAPT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (cd "$apt" && apt-get "${options[@]}" download -qq docker-compose && dpkg -x docker-compose_*.deb unpacked)
  found=$(find "$apt/unpacked" -name docker-compose -type f -perm -u+x | head -n 1)
  cp "$found" "$compose.new"
  mv "$compose.new" "$compose"
  rm -rf "$apt"
fi
