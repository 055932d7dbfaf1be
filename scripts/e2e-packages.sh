#!/usr/bin/env bash
# Installs the Debian packages that the end-to-end tests need, if they are missing. Run as root.
# Usage: e2e-packages.sh CACHE [PROGRAM=PACKAGE...]; the pairs are additional programs.
# Debian 12 has no compose v2 and no Docker with containerd's image store: these come from Debian 13 and are kept in CACHE,
# not installed: CACHE/docker-compose, and CACHE/engine with dockerd, containerd and its shim.
set -euo pipefail
cache=${1:?'usage: e2e-packages.sh CACHE [PROGRAM=PACKAGE...]'}
shift
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
compose=$cache/docker-compose
engine=$cache/engine

# Runs of several checkouts share the cache and the package database.
exec 9>"$cache/lock"
flock 9

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
# Droplets do not find one that a user has installed.
if ! [ -x /usr/bin/python3 ]; then missing+=(python3); fi
if ! [ -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then missing+=(busybox-static); fi

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  apt-get update -qq
  # Prevents packages from starting their services, for this installation only.
  policy=/usr/sbin/policy-rc.d
  if ! [ -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! [ -x "$compose" ] || ! [ -x "$engine/dockerd" ]; then
  apt=$cache/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources"
  # The mirror of this machine's own packages. apt-get expands $(…).
  # shellcheck disable=SC2016
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(SUITE)' 'Origin: Debian' 'Created-By: Packages' |
    sed -n '/security/d; s/ .*//; p; q')
  if [ -z "$mirror" ]; then
    echo "no Debian mirror is configured here; run apt-get update" >&2
    exit 1
  fi
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" \
    >"$apt/sources/trixie.list"
  options=(-oDir::Etc::sourcelist=/dev/null "-oDir::Etc::sourceparts=$apt/sources" "-oDir::State::Lists=$apt/lists"
    "-oDir::Cache::archives=$apt/archives" -oAPT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (
    cd "$apt"
    apt-get "${options[@]}" download -qq docker-compose docker.io containerd
    for package in *.deb; do dpkg -x "$package" unpacked; done
  )
  found=$(find "$apt/unpacked" -name docker-compose -type f -perm -u+x | head -n 1)
  cp "$found" "$compose.new"
  mv "$compose.new" "$compose"
  rm -rf "$engine.new"
  mkdir "$engine.new"
  for program in dockerd docker-proxy containerd containerd-shim-runc-v2; do
    cp "$(find "$apt/unpacked" -name "$program" -type f -perm -u+x | head -n 1)" "$engine.new/"
  done
  rm -rf "$engine" "$apt"
  mv "$engine.new" "$engine"
fi
