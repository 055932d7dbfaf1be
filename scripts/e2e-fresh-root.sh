#!/usr/bin/env bash
# Builds the file system of a fresh droplet for the end-to-end tests, if it is missing: Debian 13, minimal, with sshd and a
# repository of the packages that `do-deploy bootstrap` installs, because droplets of the tests reach no mirror. Run as root.
# Usage: e2e-fresh-root.sh CACHE; the result is CACHE/fresh-root.
set -euo pipefail
cache=${1:?'usage: e2e-fresh-root.sh CACHE'}
root=$cache/fresh-root
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ ! -d "$root" ] || exit 0

command -v debootstrap >/dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}
# apt-get expands $(…).
# shellcheck disable=SC2016
mirror=$(apt-get indextargets --format '$(REPO_URI) $(SUITE)' 'Origin: Debian' 'Created-By: Packages' |
  sed -n '/security/d; s/ .*//; p; q')
rm -rf "$root.new"
debootstrap --variant=minbase --include=openssh-server,iproute2,procps trixie "$root.new" "$mirror" >/dev/null
inside() { chroot "$root.new" env DEBIAN_FRONTEND=noninteractive "$@"; }
cp /etc/resolv.conf "$root.new/etc/resolv.conf"
mkdir -p "$root.new/var/local/packages"
inside apt-get update -qq
# With what they recommend where bootstrap takes it, too.
inside apt-get install -y -qq --download-only docker.io docker-cli docker-compose iptables >/dev/null
inside apt-get install -y -qq --download-only --no-install-recommends sudo unattended-upgrades >/dev/null
find "$root.new/var/cache/apt/archives" -name '*.deb' -exec mv {} "$root.new/var/local/packages/" \;
(
  cd "$root.new/var/local/packages"
  for file in *.deb; do
    dpkg-deb -f "$file"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d ' ' -f 1)"
  done >Packages
)
rm -f "$root.new"/etc/apt/sources.list "$root.new"/etc/apt/sources.list.d/* "$root.new"/var/lib/apt/lists/*_* \
  "$root.new"/etc/ssh/ssh_host_*
echo 'deb [trusted=yes] file:/var/local/packages ./' >"$root.new/etc/apt/sources.list.d/local.list"
# Namespaces have no login ids of the kernel's audit.
sed -i '/pam_loginuid/d' "$root.new/etc/pam.d/sshd"
mv "$root.new" "$root"
