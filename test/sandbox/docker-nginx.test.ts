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
    ${checked('[CMD, curl, "http://127.0.0.1:80/"]')}
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
  it('proxies requests to a service of its project', async () => {
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

  it('answers 502 if the service stops while handling a request', async () => {
    const lab = await serving('location / { proxy_pass http://app; }');
    const before = lab.container('app').log.length;
    const slow = lab.get('web', 80, '/slow?ms=60000');
    await eventually(() => lab.container('app').log.length).toBeGreaterThan(before + 1);
    lab.container('app').stop();
    expect((await slow).status).toBe(502);
  });

  it('uses an exact location first, then the longest prefix', async () => {
    const lab = await serving(`
      location / { proxy_pass http://app; }
      location = /ping { return 200 "pong"; }
      location /static { return 404 "no"; }
      location /static/found { return 200 "yes"; }
    `);
    const paths = ['/ping', '/ping/x', '/static/x', '/static/found/x'];
    const answers = await Promise.all(paths.map((path) => lab.get('web', 80, path)));
    expect(answers.map(({ body }) => body)).toEqual(['pong', 'not found\n', 'no', 'yes']);
  });

  it('exits at once if the upstream service does not run', async () => {
    const lab = new DockerLab();
    lab.write('nginx.conf', config('location / { proxy_pass http://app; }'));
    await lab.up('services:\n  web:\n    image: nginx\n    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]\n');
    await lab.until('web', ({ status }) => status === 'exited');
    expect(lab.container('web').exitCode).toBe(1);
    expect((await lab.docker(['logs', 'lab-web-1'])).stderr).toBe(
      'nginx: [emerg] host not found in upstream "app:3000" in /etc/nginx/nginx.conf\n',
    );
  });

  it('exits on an unknown directive, and records it', async () => {
    const lab = new DockerLab();
    lab.write('nginx.conf', config('location / { proxy_pass http://app; }\n rewrite ^ /x;'));
    await lab.up('services:\n  web:\n    image: nginx\n    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]\n');
    await lab.until('web', ({ status }) => status === 'exited');
    expect((await lab.docker(['logs', 'lab-web-1'])).stderr).toBe(
      'nginx: [emerg] unknown directive "rewrite ^ /x" in /etc/nginx/nginx.conf:5\n',
    );
    expect(lab.unimplemented).toHaveLength(1);
  });
});

describe('an nginx configuration', () => {
  it.each([
    ['events {', 'unexpected end of file, expecting "}" in f:1'],
    ['events {} }', 'unexpected "}" in f:1'],
    ['http { server { listen 80 ssl; } }', 'unknown directive "listen 80 ssl" in f:1'],
    ['http { server { location ~ x { return 200; } } }', 'unknown directive "location ~ x" in f:1'],
    ['http { server { location / { return 200 "$host"; } } }', 'unknown directive "return 200 $host" in f:1'],
    [
      'http { server {\nlocation / { proxy_pass http://app/sub/; } } }',
      'unknown directive "proxy_pass http://app/sub/" in f:2',
    ],
  ])('%j is refused', (text, message) => {
    expect(() => readNginxConfig(text, 'f')).toThrow(message);
  });
});
