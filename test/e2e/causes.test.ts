/** The cause of a failed release, as Docker, compose and the kernel show it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { someOf } from '../support/some-of.js';
import { Fleet } from './lab/fleet.js';
import { nginxConf } from './lab/project.js';

let fleet: Fleet;
const HEALTH = { interval: '1s', retries: 6, start_period: '3s' };
beforeAll(async () => {
  fleet = await Fleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

interface Case {
  /** Of the service app. */
  app?: Record<string, unknown>;
  /** Of the service nginx, and its server. */
  nginx?: Record<string, unknown>;
  conf?: (conf: string) => string;
  name: string;
  message: string | RegExp;
}

const shell = (script: string) => ({ entrypoint: ['/bin/sh', '-c', script] });
const checked = (test: string[], more = {}) => ({ healthcheck: { ...HEALTH, test, ...more } });
/** nginx is healthy by its own check; the balancer's path answers otherwise. */
const answers = (how: string) => (conf: string) =>
  conf.replace('location = /healthz { proxy_pass http://app/healthz; }', `location = /healthz { ${how} }`);
const SELF = checked(['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1/']);

const CASES: [string, Case][] = [
  [
    'a command that is not in the image',
    {
      app: { entrypoint: ['bin/server'] },
      name: 'command-missing',
      message: 'The image of app has no command bin/server.',
    },
  ],
  [
    'an entrypoint that is not executable',
    {
      app: { entrypoint: ['/version'] },
      name: 'not-executable',
      message: '/version in the image of app is not executable.',
    },
  ],
  [
    'a program that the kernel cannot run',
    {
      app: { entrypoint: ['/foreign'], init: false },
      name: 'other-processor',
      message: 'was built for another processor',
    },
  ],
  [
    'a healthcheck without its command',
    {
      app: checked(['CMD', 'curl', '-f', 'http://127.0.0.1:3000']),
      name: 'healthcheck-command-missing',
      message: 'The healthcheck of app runs curl, which its image does not have.',
    },
  ],
  [
    'a healthcheck without its command, in a shell',
    {
      app: checked(['CMD-SHELL', 'curl -f http://127.0.0.1:3000']),
      name: 'healthcheck-command-missing',
      message: 'runs curl',
    },
  ],
  [
    'a healthcheck that asks another port',
    {
      app: checked(['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:3001']),
      name: 'healthcheck-refused',
      message: 'Service app listens on port 3000; its healthcheck asks where nothing listens.',
    },
  ],
  [
    'an app that never listens',
    { app: shell('sleep 600'), name: 'healthcheck-refused', message: 'did not listen on any port' },
  ],
  [
    'a file system that is read-only',
    {
      app: { ...shell('echo x >/version'), read_only: true },
      name: 'read-only',
      message: 'writes to a file system that is read-only',
    },
  ],
  [
    'a folder of another user',
    {
      app: { ...shell('echo x >/app/uploads/photo'), user: '65534' },
      name: 'no-permission',
      message: 'may not read or write /app/uploads/photo',
    },
  ],
  [
    'a variable that is missing',
    { app: shell(': "$${PAYMENT_KEY:?}"'), name: 'variable-missing', message: 'the variable PAYMENT_KEY is missing' },
  ],
  [
    'memory',
    {
      app: { ...shell('exec dd if=/dev/zero of=/dev/null bs=512M count=1') },
      name: 'out-of-memory',
      message: 'ran out of memory',
    },
  ],
  [
    'a server at 127.0.0.1',
    {
      nginx: SELF,
      conf: (conf) => conf.replace('listen 80;', 'listen 127.0.0.1:80;'),
      name: 'loopback-only',
      message: 'Service nginx listens on 127.0.0.1:80 only',
    },
  ],
  [
    'a server at another port',
    {
      nginx: checked(['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:81/']),
      conf: (conf) => conf.replace('listen 80;', 'listen 81;'),
      name: 'other-port',
      message: "listens on port 81, but the droplet's port 80 leads to its port 80",
    },
  ],
  [
    'a redirect',
    {
      nginx: SELF,
      conf: answers('return 301 https://shop.example.com/;'),
      name: 'check-redirected',
      message: 'The health check is redirected (301).',
    },
  ],
  [
    'a login',
    {
      nginx: SELF,
      conf: answers('return 403;'),
      name: 'check-needs-login',
      message: 'The app refuses the health check (403).',
    },
  ],
  [
    'a path that is missing',
    { nginx: SELF, conf: answers('return 404;'), name: 'check-path-missing', message: 'does not exist (404)' },
  ],
];

describe('a release that fails is reverted, and its cause is named', () => {
  it.each(someOf(CASES))('%s', async (_what, { app = {}, nginx = {}, conf = (text) => text, name, message }) => {
    const services = {
      app: { mem_limit: '128m', healthcheck: HEALTH, ...app },
      nginx: { image: `\${NGINX_IMAGE}`, healthcheck: { ...HEALTH, start_period: '1s' }, ...nginx },
    };
    await fleet.project.write('compose/docker-compose.production.yml', stringify({ services }));
    await fleet.project.write('config/nginx/nginx.conf', conf(nginxConf()));
    await fleet.project.configure({ rollout: { health: { timeout: '20s' } } });
    const end = await fleet.deploy('v1');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    const [found] = end.result?.evidence ?? [];
    expect(found?.evidence.diagnosis, JSON.stringify(found)).toMatchObject({ name });
    expect(end.result?.error?.message).toContain(message);
    expect(end.result?.error?.hint).toBe(found?.evidence.diagnosis?.remedy);
    expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(['reverted', 'not deployed']);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
