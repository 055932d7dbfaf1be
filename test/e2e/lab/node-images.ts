/**
 * Images of a server in Node that keeps its connections, in the versions v1 and v2: built on a droplet from this host's node,
 * and pushed.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fleet } from './fleet.js';
import { REGISTRY } from './region.js';

/** Chunks of a download, one every 250 ms. */
const CHUNKS = 32;
const CHUNK_BYTES = 65_536;
export const DOWNLOAD_BYTES = CHUNKS * CHUNK_BYTES;

/** It ends as soon as it is asked to, whatever is under way: what is cut then, the deploy has cut. */
const SERVER = `const http = require('node:http');
const chunk = Buffer.alloc(${CHUNK_BYTES}, 'x');
const pages = {
  '/slow': (url, answer) => setTimeout(() => answer.end('late'), Number(url.searchParams.get('ms'))),
  '/download': (_, answer) => {
    answer.setHeader('content-length', ${DOWNLOAD_BYTES});
    let sent = 0;
    const timer = setInterval(() => {
      answer.write(chunk);
      sent += 1;
      if (sent === ${CHUNKS}) answer.end();
      if (sent === ${CHUNKS}) clearInterval(timer);
    }, 250);
  },
};
const server = http.createServer((request, answer) => {
  const url = new URL(request.url, 'http://app');
  answer.setHeader('x-version', process.env.VERSION);
  const page = pages[url.pathname];
  if (page) page(url, answer);
  else answer.end('shop');
});
server.keepAliveTimeout = 600_000;
server.listen(3000);
process.on('SIGTERM', () => process.exit(0));
`;

/** nginx.conf for it: connections are kept on both sides. */
export const KEEPING_NGINX = `events {}

http {
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 100000;
  upstream app {
    server app:3000;
    keepalive 32;
  }

  server {
    listen 80;

    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;

export const NODE_IMAGE = `${REGISTRY}/node`;

export async function pushNodeImages(fleet: Fleet): Promise<void> {
  const [machine] = fleet.machines;
  if (machine === undefined) throw new Error('there is no droplet to build on');
  await writeFile(join(fleet.folder, machine.name, 'tmp', 'server.js'), SERVER);
  await machine.must(`set -e
    mkdir -p /tmp/image/bin
    cp /tmp/server.js /tmp/image/
    cp /bin/busybox /tmp/image/bin/wget
    for file in ${process.execPath} $(ldd ${process.execPath} | grep -o '/[^ ]*'); do
      mkdir -p "/tmp/image$(dirname "$file")"
      cp -L "$file" "/tmp/image$file"
    done
    for version in v1 v2; do
      echo $version >/tmp/image/version
      tar -C /tmp/image -c . | docker import --change 'ENTRYPOINT ["${process.execPath}", "/server.js"]' \\
        --change "ENV VERSION=$version" --change 'ENV PATH=/bin' - ${NODE_IMAGE}:$version >/dev/null
      docker push --quiet ${NODE_IMAGE}:$version >/dev/null
      docker image rm ${NODE_IMAGE}:$version >/dev/null
    done
    rm -rf /tmp/image`);
}
