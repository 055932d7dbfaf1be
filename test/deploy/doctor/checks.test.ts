/** Doctor's checks by themselves: facts go in, findings come out. Most are planted in the sandbox as well. */
import { describe, expect, it } from 'vitest';
import { TOKEN_SCOPES } from '../../../src/adapters/digitalocean/call.js';
import type { Settings } from '../../../src/config/settings.js';
import { waitForBalancer } from '../../../src/deploy/doctor/checks/balancer.js';
import { covers } from '../../../src/deploy/doctor/checks/firewalls.js';
import { CHECKS } from '../../../src/deploy/doctor/checks.js';
import { readComposeFacts } from '../../../src/deploy/doctor/compose-facts.js';
import type { DropletFacts, Facts, RoleFacts } from '../../../src/deploy/doctor/facts.js';
import { type Found, findingsOf } from '../../../src/deploy/doctor/found.js';
import { readCheckedImages } from '../../../src/deploy/doctor/image-facts.js';
import { readMachine } from '../../../src/deploy/doctor/machine-command.js';
import { findProxyReaders } from '../../../src/deploy/doctor/proxy-readers.js';
import { neededScopes } from '../../../src/deploy/doctor/scopes.js';
import type { LoadBalancer } from '../../../src/ports.js';
import type { Difference } from '../../../src/rollout/drift.js';
import { aBalancer, aDroplet } from '../../support/fake-cloud.js';

const QUICK = { ...aBalancer().healthCheck, intervalSeconds: 3, healthyThreshold: 2 };

const settings = {
  app: 'shop',
  environment: 'production',
  target: { kind: 'load_balancer', ref: 'web' },
  ssh: { port: 22 },
} as unknown as Settings;

const MACHINE = { mayCount: true, partial: [], listening: [], shared: '' };

/** nginx in front of an app: all is well. */
const WELL = {
  nginx: {
    image: 'nginx:1.27',
    restart: 'always',
    healthcheck: { test: ['CMD', 'true'], interval: '2s', retries: 10, start_period: '2s' },
    ports: [{ target: 80, published: '80', protocol: 'tcp' }],
  },
};

function droplet(more: Partial<DropletFacts> = {}, services: object = WELL): DropletFacts {
  return {
    name: 'web-1',
    login: 'ssh root@203.0.113.1',
    docker: '28.2.2',
    machine: { ...MACHINE, architecture: 'amd64', store: 'docker', availableBytes: 1e9 },
    otherPorts: new Set(),
    compose: readComposeFacts(JSON.stringify({ services })),
    checkedImages: new Set(),
    unproven: [],
    goneImages: new Map(),
    ...more,
  };
}

function role(more: Partial<RoleFacts> = {}, balancer: Partial<LoadBalancer> = {}): RoleFacts {
  const fleet = [1, 2].map((id) => ({ droplet: aDroplet(id), rotation: 'in' as const, inLedger: false }));
  return {
    settings,
    balancer: aBalancer({ healthCheck: QUICK, ...balancer }),
    fleet,
    droplets: [droplet()],
    differences: [],
    hasRelease: true,
    byHand: [],
    clearable: new Set(),
    ...more,
  };
}

function found(roles: readonly RoleFacts[], more: Partial<Facts> = {}): Found[] {
  const facts: Facts = {
    settings,
    problems: [],
    warnings: [],
    envFiles: [],
    missingScopes: [],
    proxyReaders: [],
    composeTexts: [],
    refused: [],
    roles,
    ...more,
  };
  return CHECKS.flatMap((check) => check(facts));
}

const names = (...args: Parameters<typeof found>) => found(...args).map(({ name }) => name);
const withService = (more: object, of: Partial<DropletFacts> = {}) =>
  names([role({ droplets: [droplet(of, { nginx: { ...WELL.nginx, ...more } })] })]);

it('a healthy fleet has no findings', () => {
  expect(found([role()])).toEqual([]);
});

describe('the balancer', () => {
  it('has a limit by ids, not by a tag', () => {
    const fleet = Array.from({ length: 10 }, (_, index) => ({
      droplet: aDroplet(index + 1),
      rotation: 'in' as const,
      inLedger: false,
    }));
    expect(names([role({ fleet })])).toEqual(['balancer-full']);
    expect(names([role({ fleet: fleet.slice(1) })])).toEqual([]);
    expect(names([role({ fleet }, { tag: 'web' })])).toEqual([]);
  });

  it('costs what its checks take: the seconds are told', () => {
    const check = { ...QUICK, intervalSeconds: 10, healthyThreshold: 3 };
    expect(waitForBalancer(check)).toBe(46_000);
    const [slow] = found([role({}, { healthCheck: check })]);
    expect(slow).toMatchObject({
      name: 'check-interval',
      message: expect.stringContaining('up to 46 s for each droplet, and 1 min 32 s for 2 droplets'),
      fix: expect.stringContaining('up to 11 s for each droplet'),
    });
  });

  it('may connect to ports of the droplet itself, which are not known', () => {
    const ports = { targetPorts: [8080] };
    const hosted = droplet({}, { app: { ...WELL.nginx, network_mode: 'host' } });
    expect(names([role({}, ports)])).toEqual(['target-port-unpublished']);
    expect(names([role({ droplets: [hosted] }, ports)])).toEqual([]);
    const proxied = droplet({ otherPorts: new Set([8080]) });
    expect(names([role({ droplets: [proxied] }, ports)])).toEqual([]);
  });
});

describe('firewalls', () => {
  const firewall = (from: number, to: number, who: object) => ({
    firewalls: [
      {
        name: 'web',
        tags: [],
        dropletIds: [1],
        inbound: [{ ports: { from, to }, addresses: [], balancerIds: [], ...who }],
      },
    ],
  });

  it('admit the balancer by its id, by its network, or as everybody', () => {
    const by = (who: object, from = 80, to = 80) => names([role()], firewall(from, to, who));
    expect(by({ balancerIds: [aBalancer().id] })).toEqual([]);
    expect(by({ addresses: ['10.0.0.0/16'] })).toEqual([]);
    expect(by({ addresses: ['0.0.0.0/0', '::/0'] }, 1, 65_535)).toEqual([]);
    expect(by({ addresses: ['198.51.100.7'] })).toEqual(['firewall-balancer']);
    expect(by({ addresses: ['0.0.0.0/0'] }, 81, 90)).toEqual(['firewall-balancer']);
    expect(by({ balancerIds: ['another'] })).toEqual(['firewall-balancer']);
  });

  it.each([
    ['10.0.0.0/8', true],
    ['10.0.0.2', false],
    ['10.0.0.0/31', false],
    ['10.0.0.2/31', true],
    ['192.168.0.0/16', false],
    ['::/0', false],
    ['nonsense', false],
  ])('%s covers 10.0.0.2 and its network: %s', (range, is) => {
    expect(covers(range, '10.0.0.2')).toBe(is);
  });
});

describe('services', () => {
  it('need a healthcheck in the compose files or in their image, unless they are meant to end', () => {
    expect(withService({ healthcheck: undefined })).toEqual(['healthcheck-missing']);
    expect(withService({ healthcheck: { disable: true } })).toEqual(['healthcheck-missing']);
    expect(withService({ healthcheck: undefined }, { checkedImages: new Set(['nginx:1.27']) })).toEqual([]);
    const migrate = { image: 'shop:v1' };
    const after = { depends_on: { migrate: { condition: 'service_completed_successfully' } } };
    const services = { migrate, nginx: { ...WELL.nginx, ...after } };
    expect(names([role({ droplets: [droplet({}, services)] })])).toEqual([]);
  });

  it.each([
    ['28.0.0', { interval: '30s', start_period: '60s' }, []],
    ['28.0.0', { interval: '30s', start_period: '60s', start_interval: '8s' }, ['healthcheck-slow']],
    ['28.0.0', { interval: '30s' }, ['healthcheck-slow']],
    ['24.0.9', { interval: '30s', start_period: '60s', start_interval: '1s' }, ['healthcheck-slow']],
    ['24.0.9', { interval: '2s', start_period: '60s' }, []],
    ['24.0.9', {}, ['healthcheck-slow']],
    ['28.0.0', { interval: '1m30s', start_period: '1s', start_interval: '500ms' }, []],
    ['28.0.0', { interval: '2s', retries: 3 }, ['healthcheck-impatient']],
    ['28.0.0', { interval: '2s', retries: 3, start_period: '20s' }, []],
  ])('Docker %s makes the first check of %j: %j', (docker, times, finds) => {
    expect(withService({ healthcheck: { test: ['CMD', 'true'], ...times } }, { docker })).toEqual(finds);
  });

  it.each([
    [{ restart: 'no' }, ['restart-missing']],
    [{ restart: undefined }, ['restart-missing']],
    [{ restart: 'on-failure:3' }, []],
    [{ restart: undefined, deploy: { restart_policy: { condition: 'any' } } }, []],
    [{ restart: undefined, deploy: { restart_policy: { condition: 'none' } } }, ['restart-missing']],
  ])('are started again, or not: %j', (more, finds) => {
    expect(withService(more)).toEqual(finds);
  });

  it.each([
    ['29.0.0', 'traefik:v3.5', ['docker-socket']],
    ['29.0.0', 'docker.io/library/traefik:v3.6.1', []],
    ['29.0.0', 'traefik:3.7.0', []],
    ['29.0.0', 'containrrr/watchtower', ['docker-socket']],
    ['28.5.0', 'traefik:v2.11', []],
  ])('on Docker %s, %s with the socket: %j', (docker, image, finds) => {
    const volumes = [{ type: 'bind', source: '/var/run/docker.sock', target: '/var/run/docker.sock' }];
    expect(withService({ image, volumes }, { docker })).toEqual(finds);
  });
});

describe('what status --check finds', () => {
  const difference = (kind: Difference['kind'], message = 'is so') => ({ kind, droplet: 'web-1', message });
  const of = (...differences: Difference[]) => names([role({ differences })]);

  it('about machines and releases has a name here; what other checks say is not said twice', () => {
    const kinds = [
      'departed',
      'no-release',
      'other-release',
      'file-missing',
      'image-differs',
      'container-missing',
    ] as const;
    expect(of(...kinds.map((kind) => difference(kind)))).toEqual([
      'departed',
      'no-release',
      'other-release',
      'file-gone',
      'image-differs',
      'container-missing',
    ]);
    const said = ['unreachable', 'docker-missing', 'compose-missing', 'compose-old', 'other-environment'] as const;
    expect(of(...said.map((kind) => difference(kind)))).toEqual([]);
  });

  it('is nothing to say of droplets without a release before the first deploy', () => {
    expect(names([role({ differences: [difference('no-release')], hasRelease: false })])).toEqual([]);
  });

  it.each([
    ['HTTP 301 in 2 ms', 'check-redirected'],
    ['HTTP 400 in 2 ms', 'check-needs-host'],
    ['HTTP 401 in 2 ms', 'check-needs-login'],
    ['HTTP 404 in 2 ms', 'check-path-missing'],
    ['HTTP 502 in 2 ms', 'check-app-error'],
    ['connection refused', 'check-fails'],
  ])('a health check that answers %s is %s', (answer, name) => {
    const [one] = found([
      role({ differences: [difference('check-fails', `the balancer's health check fails: ${answer}`)] }),
    ]);
    expect(one).toMatchObject({ name, fix: expect.stringMatching(/\w/) });
    expect(one?.message).not.toContain(' ms');
  });
});

describe('droplets', () => {
  it('are compared with most of the others', () => {
    const [amd, arm] = ['amd64', 'arm64'].map((architecture) => ({ ...MACHINE, architecture }));
    const droplets = [amd, arm, amd].map((machine, index) => droplet({ name: `web-${index}`, machine }));
    expect(found([role({ droplets })])).toMatchObject([{ name: 'other-processor', droplet: 'web-1' }]);
  });

  it('may lack images of a release to go back to', () => {
    const goneImages = new Map([['20261121T074500Z-v1', 'shop:v1']]);
    expect(found([role({ droplets: [droplet({ goneImages })] })])).toMatchObject([
      { name: 'image-gone', message: 'shop:v1 of release 20261121T074500Z-v1 was removed.' },
    ]);
  });

  it('say what they are, and only that is believed', () => {
    const mark = '0123456789abcdef0123456789abcdef';
    const answer = (sections: Record<string, string>) =>
      `${mark}\n${Object.entries(sections)
        .map(([name, text]) => `\n${mark} ${name}\n${text}\n`)
        .join('')}`;
    const memory = 'MemTotal:        1000 kB\nMemAvailable:     512 kB\nSwapFree:           0 kB';
    const partial = './incoming-x.tgz\nreleases/a.partial\n../etc\n$(reboot)';
    const store = '/var/lib/docker\noverlayfs\nx86_64\n[[driver-type io.containerd.snapshotter.v1]]';
    const listening = '0050\n1F90\nnone';
    expect(
      readMachine(answer({ machine: 'aarch64', memory, store, counters: 'readable', partial, listening })),
    ).toEqual({
      architecture: 'arm64',
      availableBytes: 512 * 1024,
      swapBytes: 0,
      store: 'containerd',
      mayCount: true,
      listening: [80, 8080],
      shared: '',
      partial: ['incoming-x.tgz', 'releases/a.partial'],
    });
    expect(readMachine('')).toEqual({ mayCount: false, listening: [], shared: '', partial: [] });
  });
});

describe('findings', () => {
  const one = (name: string, message = `${name} is full`): Found => ({ name: 'disk-low', droplet: name, message });

  it('of several droplets are one, if they say the same', () => {
    const { findings } = findingsOf([one('web-1'), one('web-2'), one('web-3', 'another thing')]);
    expect(findings.map(({ droplets, message }) => [droplets, message])).toEqual([
      [['web-1', 'web-2'], 'web-1 is full.'],
      [['web-3'], 'another thing.'],
    ]);
  });

  it('are bounded, and those that are left out are counted', () => {
    const { findings, left } = findingsOf(Array.from({ length: 25 }, (_, index) => one('web-1', `number ${index}`)));
    expect(findings).toHaveLength(20);
    expect(left).toEqual(['5 more findings disk-low: correct those above first.']);
  });

  it('of a deploy come with the words of its error, and errors come first', () => {
    const error = { code: 'port-taken', message: 'Port 80 is held.', hint: 'Stop it.' };
    const { findings } = findingsOf([one('web-1'), { error, area: 'compose', droplet: 'web-1' }]);
    expect(findings).toMatchObject([
      { name: 'port-taken', severity: 'error', fix: 'Stop it.', why: 'A deploy is refused with this error.' },
      { name: 'disk-low', severity: 'warning' },
    ]);
  });
});

it.each([
  ['nginx.conf', '    listen 80 default_server proxy_protocol;', 1],
  ['nginx.conf', '    listen [::]:80 proxy_protocol;', 1],
  ['nginx.conf', '    # listen 80 proxy_protocol;', 0],
  ['nginx.conf', '    set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;', 0],
  ['haproxy.cfg', '  bind :80 accept-proxy', 1],
  ['haproxy.cfg', '  server app 10.0.0.1:80 send-proxy', 0],
  ['Caddyfile', '      proxy_protocol {', 1],
  ['httpd.conf', 'RemoteIPProxyProtocol On', 1],
])('the PROXY protocol in %s: %s', (path, text, count) => {
  expect(findProxyReaders([{ path, text }])).toHaveLength(count);
});

it('a server may take connections with the PROXY protocol at one port, and others at another', () => {
  const text = 'listen 80;\nlisten 81 proxy_protocol;\n';
  const both = findProxyReaders([{ path: 'nginx.conf', text }]);
  expect(both).toEqual([{ place: 'nginx.conf:2', isOnly: false }]);
  expect(names([role()], { proxyReaders: both })).toEqual([]);
  expect(names([role({}, { proxyProtocol: true })], { proxyReaders: both })).toEqual([]);
  const only = findProxyReaders([{ path: 'nginx.conf', text: 'listen 80 proxy_protocol;' }]);
  expect(names([role()], { proxyReaders: only })).toEqual(['proxy-protocol-unsent']);
});

it('an image with a healthcheck of its own is known by any of its names', () => {
  const Config = { Healthcheck: { Test: ['CMD', 'true'] } };
  const inspected = JSON.stringify([
    { RepoTags: ['nginx:1.27', 'acme/shop:latest'], Config },
    { RepoTags: ['redis:7'], Config: { Healthcheck: { Test: ['NONE'] } } },
  ]);
  const images = ['docker.io/library/nginx:1.27', 'acme/shop', 'redis:7', 'nginx:1.28'];
  const answer = { inspected, said: '', isAsked: false, stdout: '' };
  expect([...readCheckedImages(answer, images)]).toEqual(['docker.io/library/nginx:1.27', 'acme/shop']);
  expect(readCheckedImages({ ...answer, inspected: '[' }, images).size).toBe(0);
});

it('the scopes are those that an environment needs, and no others than the README names', () => {
  const of = (target: object) => neededScopes({ ...settings, target } as Settings);
  expect(of({ kind: 'droplet', id: 1 })).toEqual({
    toFind: ['droplet:read'],
    readable: ['droplet:read'],
    toChange: [],
  });
  const balanced = of({ kind: 'load_balancer' });
  expect([...balanced.readable, ...balanced.toChange, 'firewall:read'].sort()).toEqual([...TOKEN_SCOPES].sort());
  expect(of({ kind: 'tag', tag: 'workers' }).readable).toEqual(['droplet:read', 'tag:read']);
});
