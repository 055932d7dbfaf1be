#!/bin/sh
# Builds the images of the end-to-end tests and pushes them; runs on a machine with Docker. Nothing is pulled: the images
# contain this host's busybox and nginx. Usage: build-images.sh REGISTRY
set -eu
registry=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- the shop: an app with a page, a slow page, a health page and a volume, in working and broken versions
shop=$work/shop
mkdir -p "$shop/bin" "$shop/www/cgi-bin" "$shop/app/uploads" "$shop/tmp" "$shop/etc"
cp /bin/busybox "$shop/bin/busybox"
for applet in sh cat dd echo env head httpd kill ls mkdir mv rm sleep sed sync tail tr usleep wget; do
  ln -s busybox "$shop/bin/$applet"
done
echo 'root:x:0:0:root:/:/bin/sh' >"$shop/etc/passwd"
echo ok >"$shop/www/healthz"

cat >"$shop/www/cgi-bin/page" <<'SCRIPT'
#!/bin/sh
printf 'Content-Type: text/plain\r\nX-Version: %s\r\n\r\nshop %s\n' "$VERSION" "$VERSION"
SCRIPT
cat >"$shop/www/cgi-bin/slow" <<'SCRIPT'
#!/bin/sh
ms=${QUERY_STRING#ms=}
usleep "${ms}000"
printf 'Content-Type: text/plain\r\nX-Version: %s\r\n\r\nshop %s after %s ms\n' "$VERSION" "$VERSION" "$ms"
SCRIPT
cat >"$shop/www/cgi-bin/uploads" <<'SCRIPT'
#!/bin/sh
printf 'Content-Type: text/plain\r\nX-Version: %s\r\n\r\n' "$VERSION"
cat /app/uploads/*
SCRIPT
cat >"$shop/entrypoint" <<'SCRIPT'
#!/bin/sh
# As process 1, it would ignore SIGTERM without a trap. STOP_SECONDS: how long it takes to stop.
trap 'sleep ${STOP_SECONDS:-0}; kill $server 2>/dev/null; exit 0' TERM INT
echo "shop $VERSION starting"
case $MODE in
  broken) rm /www/healthz; echo 'cannot reach the database at 10.0.0.5:5432' >&2 ;;
  crash) echo 'fatal: /app/settings.json: no such file' >&2; exit 3 ;;
  late-crash) (sleep 6; echo 'fatal: lost the queue' >&2; kill $$) & ;;
  exits) echo 'nothing to do, good bye'; exit 0 ;;
  oom) exec dd if=/dev/zero of=/dev/null bs=512M count=1 ;;
  slow-start) sleep 8 ;;
esac
sleep 1
httpd -f -p 3000 -h /www &
server=$!
echo "shop $VERSION listens"
wait $server
SCRIPT
cat >"$shop/migrate" <<'SCRIPT'
#!/bin/sh
if [ "$MODE" = bad-migration ]; then echo 'migration 7 failed: column exists' >&2; exit 4; fi
echo "migrated to $VERSION" >>/app/uploads/migrations
SCRIPT
# No machine runs it.
printf '\177ELF' >"$shop/foreign"
chmod -R a+rx "$shop"

push() {
  docker push --quiet "$1" >/dev/null
  docker image rm "$1" >/dev/null
}

image() {
  version=$1 mode=$2
  echo "$version" >"$shop/version"
  # Unique bytes, so that a pull takes time.
  head -c 2000000 /dev/urandom >"$shop/app/data"
  tar -C "$shop" -c . | docker import --change 'ENTRYPOINT ["/entrypoint"]' --change "ENV VERSION=$version" \
    --change "ENV MODE=$mode" --change 'ENV PATH=/bin' - "$registry/shop:$version" >/dev/null
  push "$registry/shop:$version"
}
for version in v1 v2 v3; do image "$version" good; done
for mode in broken crash late-crash exits oom slow-start bad-migration; do image "$mode" "$mode"; done

# --- this host's nginx
nginx=$work/nginx
mkdir -p "$nginx/bin" "$nginx/etc/nginx" "$nginx/var/log/nginx" "$nginx/var/lib/nginx" "$nginx/run" "$nginx/tmp"
cp /bin/busybox "$nginx/bin/busybox"
ln -s busybox "$nginx/bin/wget"
ln -s busybox "$nginx/bin/sh"
for file in $(command -v nginx) $(ldd "$(command -v nginx)" | grep -o '/[^ ]*'); do
  mkdir -p "$nginx$(dirname "$file")"
  cp -L "$file" "$nginx$file"
done
echo 'root:x:0:0:root:/:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false' >"$nginx/etc/passwd"
echo 'root:x:0:
nogroup:x:65534:' >"$nginx/etc/group"
ln -s /dev/stderr "$nginx/var/log/nginx/error.log"
ln -s /dev/stdout "$nginx/var/log/nginx/access.log"
tar -C "$nginx" -c . | docker import --change "ENTRYPOINT [\"$(command -v nginx)\", \"-g\", \"daemon off;\"]" \
  --change 'ENV PATH=/bin' - "$registry/nginx:1" >/dev/null
push "$registry/nginx:1"
