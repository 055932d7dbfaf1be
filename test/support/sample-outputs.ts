import type { Output } from '../../src/reporters/output.js';
import { aRow, V2 } from './scripted-events.js';

const COMMIT = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d';
const RUN = `deploy ${V2} 2026-11-21T07:45:00.000Z ann@laptop`;

/** TypeScript refuses this when a type is missing. */
export const SAMPLE_OUTPUTS: { [Type in Output['type']]: Extract<Output, { type: Type }> } = {
  status: { type: 'status', heading: 'shop: production', rows: [aRow(1)] },
  drift: {
    type: 'drift',
    app: 'shop',
    environment: 'production',
    release: { id: V2, imageTag: 'v2' },
    fixes: { heal: 'do-deploy heal production', adopt: 'do-deploy adopt production' },
    differences: [{ droplet: 'web-1', kind: 'container-not-healthy', message: 'app exited 137: killed', fix: 'heal' }],
    droplets: 2,
  },
  plan: {
    type: 'plan',
    command: 'deploy',
    app: 'shop',
    environment: 'production',
    release: { id: '', imageTag: 'v2' },
    target: 'load balancer "web" (203.0.113.9)',
    changes: true,
    droplets: [
      {
        id: 400000001,
        name: 'web-1',
        rotation: 'in',
        health: 'healthy',
        release: '20261120T074500Z-v1',
        action: 'deployed',
      },
    ],
    differences: [
      {
        droplets: ['web-1'],
        files: [
          { path: 'config/nginx/nginx.conf', change: 'changed', diff: '@@ -1 +1 @@\n-gzip off;\n+gzip on;' },
          {
            path: 'config/.env.production',
            change: 'changed',
            isPrivate: true,
            variables: { added: ['POOL'], changed: ['SECRET_KEY'], removed: [] },
          },
        ],
        images: [
          {
            service: 'app',
            reference: 'ghcr.io/acme/shop:v2',
            from: `ghcr.io/acme/shop@sha256:${'1'.repeat(64)}`,
            to: `ghcr.io/acme/shop@sha256:${'2'.repeat(64)}`,
          },
        ],
        services: [{ service: 'app', action: 'recreate', because: 'its image changes' }],
        pullBytes: 44_040_192,
      },
    ],
    batches: [{ droplets: ['web-1'], leaving: ['web-1'], serving: 2, floor: 2, of: 3 }],
    programs: [{ at: 'deploy', name: 'layer migrate' }],
    estimate: { ms: 95_000, runs: 4 },
    findings: [],
    next: 'do-deploy production v2',
  },
  doctor: {
    type: 'doctor',
    app: 'shop',
    environment: 'production',
    target: 'load balancer "web" (203.0.113.9)',
    droplets: 3,
    findings: [
      {
        name: 'disk-low',
        severity: 'warning',
        area: 'droplets',
        droplets: ['web-2'],
        message: "Only 800 MB free on Docker's disk, 92% used.",
        why: 'A deploy is refused below 512 MB.',
        fix: 'See what takes the space: docker system df.',
      },
      {
        name: 'env-file-open',
        severity: 'warning',
        area: 'env files',
        droplets: [],
        place: 'config/.env.production',
        message: 'config/.env.production has the permissions 644.',
        why: 'It may hold secrets.',
        fix: 'chmod 600 config/.env.production',
        fixable: true,
      },
    ],
    unchecked: ['Cloud firewalls, because the token lacks firewall:read.'],
  },
  settings: {
    type: 'settings',
    app: 'shop',
    environment: 'production',
    rows: [
      { key: 'token', value: '[secret]', from: 'DO_TOKEN in config/.env:1' },
      { key: 'load_balancer', value: 'web', from: 'config/deploy.yml:6, $LOAD_BALANCER in config/.env:2' },
      { key: 'rollout.batch', value: '2', from: '--set rollout.batch=…' },
      { key: 'rollout.drain.timeout', value: '30s', from: 'default' },
    ],
  },
  history: {
    type: 'history',
    entries: [
      {
        at: '2026-11-21T07:47:31.000Z',
        run: RUN,
        environment: 'production',
        command: 'deploy',
        who: 'ann@laptop',
        release: V2,
        imageTag: 'v2',
        outcome: 'succeeded',
        durationMs: 151_000,
        probes: { total: 142, failed: 0 },
        droplets: [400000001, 400000002],
      },
    ],
  },
  locks: {
    type: 'locks',
    environment: 'production',
    rows: [
      {
        droplet: 'web-1',
        state: 'held',
        holder: { run: RUN, app: 'shop', who: 'ann@laptop', release: V2, since: '2026-11-21T07:45:01.000Z' },
      },
    ],
  },
  tags: {
    type: 'tags',
    tags: [
      {
        name: 'v2',
        commit: COMMIT,
        at: '2026-11-21T07:40:00+01:00',
        subject: 'version v2',
        environments: [{ environment: 'production', droplets: 3, of: 3 }],
      },
    ],
    environments: [
      { name: 'staging', unknown: 'STAGING_DROPLET_ID is not set', unreachable: [], untagged: [] },
      { name: 'production', unreachable: [], untagged: [] },
    ],
  },
  tagged: { type: 'tagged', name: 'v2', commit: COMMIT, committed: ['config/nginx/nginx.conf'] },
  bootstrap: {
    type: 'bootstrap',
    environment: 'production',
    check: true,
    rows: [
      {
        droplet: 'web-1',
        changes: [
          {
            action: 'sudo',
            change: 'let deploy count connections as root',
            files: ['/etc/sudoers.d/do-deploy'],
          },
        ],
        left: [{ action: 'daemon-settings', reason: '/etc/docker/daemon.json sets live-restore to false' }],
      },
    ],
  },
  init: {
    type: 'init',
    app: 'shop',
    files: [
      { path: 'config/deploy.yml', action: 'written' },
      { path: '.gitignore', action: 'extended' },
      { path: 'config/.env', action: 'left', add: ['DO_TOKEN=…'] },
    ],
    variables: ['DO_TOKEN'],
    notes: ['config/.env.production does not exist yet: create it.'],
    next: ['do-deploy doctor production'],
  },
  log: {
    type: 'log',
    line: {
      time: '2026-11-21T07:45:03.123456789Z',
      droplet: 'web-1',
      service: 'app',
      container: '4f1b9a0c2d3e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8',
      stream: 'stdout',
      text: 'GET / 200',
    },
    place: { color: 0, width: 9 },
  },
  text: { type: 'text', lines: ['Nothing was deployed.'] },
};
