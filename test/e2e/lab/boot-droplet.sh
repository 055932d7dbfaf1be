#!/usr/bin/env bash
# Everything that runs on a droplet of the end-to-end tests: sshd and Docker Engine, in namespaces of their own that
# the caller has made. Usage: boot-droplet.sh FOLDER NAME PUBLIC PRIVATE COMPOSE CGROUP DISK_MB INSECURE_REGISTRY...
set -eu
folder=$1 name=$2 public=$3 private=$4 compose=$5 cgroup=$6 disk=$7
shift 7

hostname "$name"
mount --make-rprivate /
mkdir -p "$folder/run" "$folder/root" "$folder/home" "$folder/log" "$folder/docker" "$folder/tmp" "$folder/plugins"
cp -a /etc "$folder/etc"
cp "$compose" "$folder/plugins/docker-compose"
chmod 700 "$folder/root"
chmod 1777 "$folder/tmp"
echo "127.0.0.1 localhost $name" >"$folder/etc/hosts"
# What this host does when somebody logs in is not for a droplet.
rm -rf "$folder/etc/profile.d" "$folder/etc/bash.bashrc"
# Nobody answers here: a name that is not known is refused at once.
echo 'nameserver 127.0.0.1' >"$folder/etc/resolv.conf"
cp -a "$folder/ssh/." "$folder/etc/ssh/"
mkdir -m 700 "$folder/root/.ssh"
cp "$folder/ssh/authorized_keys" "$folder/root/.ssh/authorized_keys"
chown -R root:root "$folder/root" "$folder/etc/ssh"
mkdir -p /usr/libexec/docker/cli-plugins /var/lib/docker
mount --bind "$folder/plugins" /usr/libexec/docker/cli-plugins
if [ "$disk" -gt 0 ]; then mount -t tmpfs -o "size=${disk}m" tmpfs "$folder/docker"; fi
for pair in run:/run root:/root home:/home etc:/etc log:/var/log docker:/var/lib/docker; do
  mount --rbind "$folder/${pair%%:*}" "${pair#*:}"
done
# The last one: it hides FOLDER itself when that lies below /tmp.
mount --bind "$folder/tmp" /tmp
mkdir -p /run/sshd
# As on any Debian and Ubuntu.
mkdir -m 1777 /run/lock

ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip address add "$public/24" dev eth0
ip address add "$private/24" dev eth0
ip link set eth0 up

/usr/sbin/sshd -D -e -f /etc/ssh/sshd_config >>/var/log/sshd.log 2>&1 &

insecure=()
# With the scheme, or a build would ask for TLS.
for registry in "$@"; do insecure+=(--insecure-registry "http://$registry"); done
# As a service manager would: a Docker that ends is started again.
while :; do
  dockerd --cgroup-parent "/$cgroup" "${insecure[@]}" >>/var/log/dockerd.log 2>&1 || true
  sleep 0.2
done
