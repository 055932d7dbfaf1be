#!/usr/bin/env bash
# Runs a fresh droplet of the end-to-end tests in namespaces that the caller has created: Debian with sshd for root, and
# nothing else. Its file system is a copy on write of ROOT. There is no systemd: services are started by their scripts.
# Usage: boot-fresh.sh FOLDER NAME PUBLIC PRIVATE ROOT CGROUP INSECURE_REGISTRY...
set -eu
folder=$1 name=$2 public=$3 private=$4 root=$5 cgroup=$6
shift 6

hostname "$name"
mount --make-rprivate /
mkdir -p "$folder/upper" "$folder/work" "$folder/root" "$folder/docker" "$folder/containerd"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
cd "$folder/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p run/lock run/sshd var/lib/docker var/lib/containerd
chmod 1777 run/lock
# Docker's own layers cannot lie on an overlay.
mount --bind "$folder/docker" var/lib/docker
mount --bind "$folder/containerd" var/lib/containerd
echo "127.0.0.1 localhost $name" >etc/hosts
echo 'nameserver 127.0.0.1' >etc/resolv.conf
cp "$folder/ssh/host_ed25519" etc/ssh/ssh_host_ed25519_key
cp "$folder/ssh/host_ed25519.pub" etc/ssh/ssh_host_ed25519_key.pub
mkdir -p root/.ssh
chmod 700 root/.ssh
cp "$folder/ssh/authorized_keys" root/.ssh/authorized_keys
chown -R root:root etc/ssh root
# What an administrator has set already: bootstrap must keep it.
mkdir -p etc/docker
list=
for registry in "$@"; do list="$list${list:+, }\"http://$registry\""; done
printf '{"insecure-registries": [%s], "cgroup-parent": "/%s"}\n' "${list//http:\/\//}" "$cgroup" >etc/docker/daemon.json
# The service script of Debian's package raises limits of the kernel, which namespaces may not.
cat >etc/init.d/docker <<'SERVICE'
#!/bin/sh
set -eu
pid=/run/docker-service.pid
case $1 in
  start)
    start-stop-daemon --start --oknodo --background --no-close --make-pidfile --pidfile $pid \
      --exec /usr/sbin/dockerd >>/var/log/dockerd.log 2>&1
    ;;
  stop) start-stop-daemon --stop --oknodo --pidfile $pid --remove-pidfile --retry 30 ;;
  restart) "$0" stop && "$0" start ;;
esac
SERVICE
chmod 755 etc/init.d/docker

ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip address add "$public/24" dev eth0
ip address add "$private/24" dev eth0
ip address add "fd00:10::${private##*.}/64" dev eth0 nodad
ip link set eth0 up

mkdir -p mnt
pivot_root . mnt
umount -l /mnt
exec /usr/sbin/sshd -D -E /var/log/sshd.log
