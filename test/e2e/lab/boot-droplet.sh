#!/usr/bin/env bash
# Runs a droplet of the end-to-end tests, sshd and Docker Engine, in namespaces that the caller has created.
# Usage: boot-droplet.sh FOLDER NAME PUBLIC PRIVATE COMPOSE CGROUP DISK_MB HOME_MB ENGINE INSECURE_REGISTRY...
# DISK_MB and HOME_MB limit Docker's disk and ~/do-deploy of root; 0: no limit. ENGINE: a folder with dockerd and
# containerd, run with containerd's image store; '': this host's Docker.
set -eu
folder=$1 name=$2 public=$3 private=$4 compose=$5 cgroup=$6 disk=$7 home=$8 engine=$9
shift 9

hostname "$name"
mount --make-rprivate /
mkdir -p "$folder/run" "$folder/root" "$folder/home" "$folder/log" "$folder/docker" "$folder/tmp" "$folder/plugins"
cp -a /etc "$folder/etc"
cp "$compose" "$folder/plugins/docker-compose"
chmod 700 "$folder/root"
chmod 1777 "$folder/tmp"
echo "127.0.0.1 localhost $name" >"$folder/etc/hosts"
# Login scripts of this host do not belong on a droplet.
rm -rf "$folder/etc/profile.d" "$folder/etc/bash.bashrc"
# Nothing answers there, so unknown names fail immediately.
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
# Last, because it hides FOLDER if that is below /tmp.
mount --bind "$folder/tmp" /tmp
mkdir -p /run/sshd /etc/docker
if [ "$home" -gt 0 ]; then
  mkdir -m 700 /root/do-deploy
  mount -t tmpfs -o "size=${home}m,mode=700" tmpfs /root/do-deploy
fi
if [ -n "$engine" ]; then
  PATH=$engine:$PATH
  echo '{"features": {"containerd-snapshotter": true}}' >/etc/docker/daemon.json
fi

ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip address add "$public/24" dev eth0
ip address add "$private/24" dev eth0
ip link set eth0 up

/usr/sbin/sshd -D -e -f /etc/ssh/sshd_config >>/var/log/sshd.log 2>&1 &

insecure=()
# With the scheme; without it, builds would require TLS.
for registry in "$@"; do insecure+=(--insecure-registry "http://$registry"); done
# Like a service manager, restart Docker when it ends.
while :; do
  dockerd --cgroup-parent "/$cgroup" "${insecure[@]}" >>/var/log/dockerd.log 2>&1 || true
  sleep 0.2
done
