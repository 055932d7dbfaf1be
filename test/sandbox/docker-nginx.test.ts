import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { readNginxConfig } from '../../src/sandbox/docker/images/nginx-config.js';
import { checked, DockerLab, SHOP_CHECK } from './docker-lab.js';
import { eventually } from './eventually.js';

const project = (tag = 'v1') => `services:
  app: { image: 'example/shop:${tag}', ${SHOP_CHECK} }
  web:
    image: nginx
    depends_on: { app: { condition: service_healthy } }
    volumes: ['./nginx.conf:/etc/nginx/nginx.conf:ro']
    ${checked('[CMD, "true"]')}
`;

const config = (server: string) => `events {}
http {
  upstream app { server app:3000; }
  server { listen 80; ${server} }
}`;

async function serving(server: string): Promise<DockerLab> {
  const lab = new DockerLab();
  lab.write('nginx.conf', config(server));
  expect((await lab.up(project())).code).toBe(0);
  await lab.until('web', ({ health }) => health?.status === 'healthy');
  return lab;
}

describe('the nginx image', () => {
  it('passes requests on to a service of its project', async () => {
    const lab = await serving('location / { proxy_pass http://app; proxy_set_header Host $host; }');
    const answer = await lab.get('web', 80, '/');
    expect(answer).toMatchObject({ status: 200, body: 'shop v1\n' });
    expect(answer.headers.get('x-version')).toBe('v1');
  });

  it('answers 502 while the service is down', async () => {
    const lab = await serving('location / { proxy_pass http://app:3000; }');
    lab.container('app').stop();
    expect((await lab.get('web', 80, '/')).status).toBe(502);
  });

  it('answers 502 for a request that the service does not finish', async () => {
    const lab = await serving('location / { proxy_pass http://app; }');
    const before = lab.container('app').log.length;
    const slow = lab.get('web', 80, '/slow?ms=60000');
    await eventually(() => lab.container('app').log.length).toBeGreaterThan(before + 1);
    lab.container('app').stop();
    expect((await slow).status).toBe(502);
  });

  it('takes the exact location, else the longest prefix', async () => {
    const lab = await serving(`
      add_header x-where server;
      location / { proxy_pass http://app; }
      location = /ping { return 200 "pong"; }
      location /static { return 204; }
      location /static/deep { add_header x-where deep; return 404 "no"; }
      location /static/found { add_header x-where found; return 200 "yes"; }
    `);
    const answers = await Promise.all(
      ['/ping', '/static/x', '/static/deep/x', '/static/found', '/'].map((path) => lab.get('web', 80, path)),
    );
    expect(answers.map(({ status, headers }) => [status, headers.get('x-where')])).toEqual([
      [200, 'server'],
      [204, 'server'],
      [404, null],
      [200, 'found'],
      [200, 'server'],
    ]);
  });

  it('takes the PROXY protocol’s line, and nothing without it', async () => {
    const lab = new DockerLab();
    lab.write('nginx.conf', 'events {} http { server { listen 80 proxy_protocol; return 200 "behind a balancer"; } }');
    await lab.up('services:\n  web:\n    image: nginx\n    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]\n');
    await eventually(() => lab.container('web').portOf(80)).toBeDefined();
    const ask = async (...pieces: string[]) => {
      const socket = connect(lab.container('web').portOf(80) ?? 0, '127.0.0.1');
      for (const piece of pieces) await new Promise((sent) => socket.write(piece, sent));
      return await text(socket).catch(() => 'cut');
    };
    const get = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    expect(await ask(`PROXY TCP4 192.0.2.1 10.10.0.1 4000 80\r\n${get}`)).toContain('behind a balancer');
    expect(await ask('PROXY TCP4 192.0.2.1 10.10', '.0.1 4000 80\r\n', get)).toContain('behind a balancer');
    expect(await ask(get)).not.toContain('behind a balancer');
    await expect(lab.get('web', 80, '/')).rejects.toThrow('fetch failed');
  });

  it('gives up at once when the service is not there', async () => {
    const lab = new DockerLab();
    lab.write('nginx.conf', config('location / { proxy_pass http://app; }'));
    await lab.up('services:\n  web:\n    image: nginx\n    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]\n');
    await lab.until('web', ({ status }) => status === 'exited');
    expect(lab.container('web').exitCode).toBe(1);
    expect((await lab.docker(['logs', 'lab-web-1'])).stderr).toBe(
      'nginx: [emerg] host not found in upstream "app:3000" in /etc/nginx/nginx.conf\n',
    );
  });

  it('gives up on a directive that it does not know, loudly', async () => {
    const lab = new DockerLab();
    lab.write('nginx.conf', config('location / { proxy_pass http://app; }\n rewrite ^ /x;'));
    await lab.up('services:\n  web:\n    image: nginx\n    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]\n');
    await lab.until('web', ({ status }) => status === 'exited');
    expect((await lab.docker(['logs', 'lab-web-1'])).stderr).toBe(
      'nginx: [emerg] unknown directive "rewrite" in /etc/nginx/nginx.conf:5\n',
    );
    expect(lab.unimplemented).toHaveLength(1);
  });
});

describe('an nginx configuration', () => {
  it.each([
    ['events {', 'unexpected end of file, expecting "}" in f:1'],
    ['events {} }', 'unexpected "}" in f:1'],
    ['http {\n ;\n}', 'unexpected ";" in f:2'],
    ['http { server { listen 80 ssl; } }', 'unknown directive "listen 80 ssl" in f:1'],
    ['http { server { location ~ x { return 200; } } }', 'unknown directive "location ~ x" in f:1'],
    ['http { server { location / { return 200 "$host"; } } }', 'unknown directive "return 200 $host" in f:1'],
    [
      'http { server { location / { proxy_pass http://app/sub/; } } }',
      'unknown directive "proxy_pass http://app/sub/" in f:1',
    ],
  ])('%j cannot be served', (text, message) => {
    expect(() => readNginxConfig(text, 'f')).toThrow(message);
  });
});
