import { describe, expect, it } from 'vitest';
import {
  CLOCK_TOLERANCE_MS,
  type DropletCheckup,
  type DropletFacts,
  type FleetFacts,
  findDifferences,
  LOW_DISK_BYTES,
} from '../../src/rollout/drift.js';
import type { ContainerView } from '../../src/rollout/health.js';

const NOW = Date.UTC(2026, 10, 24);
const IMAGE = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const RELEASE = {
  id: '20261124T000000Z-v2',
  services: [{ name: 'app', image: 'shop:v2', replicas: 1, stays: true, oneShot: false }],
  images: { app: { reference: 'shop:v2', imageId: IMAGE } },
};

function aContainer(overrides: Partial<ContainerView> = {}): ContainerView {
  return {
    id: 'c1',
    service: 'app',
    state: 'running',
    health: 'healthy',
    exitCode: 0,
    oomKilled: false,
    restarts: 0,
    restartPolicy: 'unless-stopped',
    startedAt: NOW - 3_600_000,
    imageId: IMAGE,
    imageRef: 'shop:v2',
    pid: 7,
    hostNetwork: false,
    ports: [],
    ...overrides,
  };
}

function aCheckup(overrides: Partial<DropletCheckup> = {}): DropletCheckup {
  return {
    docker: '28.2.2',
    compose: '2.36.0',
    diskFreeBytes: 20 * LOW_DISK_BYTES,
    clockAheadMs: 0,
    current: RELEASE.id,
    changedFiles: [],
    containers: [aContainer()],
    now: NOW,
    balancerCheck: { passed: true, detail: 'HTTP 200' },
    ...overrides,
  };
}

function aDroplet(answer: Partial<DropletCheckup> = {}, overrides: Partial<DropletFacts> = {}): DropletFacts {
  return { name: 'web-1', power: 'active', rotation: 'in', inLedger: false, answer: aCheckup(answer), ...overrides };
}

function aFleet(first: DropletFacts, overrides: Partial<FleetFacts> = {}): FleetFacts {
  const others = ['web-2', 'web-3'].map((name) => aDroplet({}, { name }));
  return {
    target: 'load balancer "web"',
    isBalanced: true,
    release: RELEASE,
    droplets: [first, ...others],
    departed: [],
    ...overrides,
  };
}

const found = (fleet: FleetFacts) =>
  findDifferences(fleet).map(({ droplet, kind, message, fix }) => [
    `${droplet}: ${message}`,
    kind,
    ...(fix === undefined ? [] : [fix]),
  ]);

describe('a droplet differs from the release of the fleet', () => {
  it('not at all if it is as deployed', () => {
    expect(findDifferences(aFleet(aDroplet()))).toEqual([]);
    expect(findDifferences(aFleet(aDroplet({}, { rotation: 'none' })))).toEqual([]);
  });

  it.each<[string, DropletFacts, ...string[][]]>([
    [
      'by an edited file, reported with its hashes',
      aDroplet({
        changedFiles: [{ path: 'config/nginx/nginx.conf', deployed: '1'.repeat(64), found: '2'.repeat(64) }],
      }),
      [
        'web-1: config/nginx/nginx.conf has changed since it was deployed (SHA-256 222222222222… instead of 111111111111…)',
        'file-changed',
        'adopt',
      ],
    ],
    [
      'by a file with secrets, whose hash would reveal too much',
      aDroplet({ changedFiles: [{ path: 'config/.env.production', deployed: '1'.repeat(64), found: '2'.repeat(64) }] }),
      ['web-1: config/.env.production has changed since it was deployed', 'file-changed', 'adopt'],
    ],
    [
      'by a missing file',
      aDroplet({ changedFiles: [{ path: 'images.yml', deployed: '1'.repeat(64) }] }),
      ['web-1: images.yml is missing', 'file-missing', 'adopt'],
    ],
    [
      'by a stopped container',
      aDroplet({ containers: [aContainer({ state: 'exited', exitCode: 137, restartPolicy: 'no' })] }),
      ['web-1: app exited 137: killed', 'container-not-healthy', 'heal'],
    ],
    [
      'by a missing container',
      aDroplet({ containers: [] }),
      ['web-1: app has no container', 'container-missing', 'heal'],
    ],
    [
      'by another image',
      aDroplet({ containers: [aContainer({ imageId: OTHER })] }),
      ['web-1: app runs image sha256:bbbbbbbbbbbb instead of sha256:aaaaaaaaaaaa (shop:v2)', 'image-differs', 'adopt'],
    ],
    [
      'by another release, whose containers add nothing',
      aDroplet({ current: '20261101T000000Z-v1', containers: [aContainer({ imageId: OTHER })] }),
      ['web-1: runs 20261101T000000Z-v1 instead of 20261124T000000Z-v2', 'other-release', 'adopt'],
    ],
    [
      'by running no release',
      aDroplet({ current: undefined, containers: [] } as never),
      ['web-1: runs no release', 'no-release', 'adopt'],
    ],
    [
      'by an unfinished switch',
      aDroplet({ halfWayTo: '20261124T010000Z-v3' }),
      ['web-1: has an unfinished switch to 20261124T010000Z-v3', 'half-done', 'heal'],
    ],
    [
      'by a balancer check that fails although the containers are healthy',
      aDroplet({ balancerCheck: { passed: false, detail: 'HTTP 503 in 3 ms' } }),
      ["web-1: the balancer's health check fails: HTTP 503 in 3 ms", 'check-fails', 'heal'],
    ],
    [
      'by being missing from the balancer',
      aDroplet({}, { rotation: 'out', inLedger: true, outSince: '2026-11-23 by ann@laptop' }),
      [
        'web-1: is missing from load balancer "web"; a rollout marked it out (out since 2026-11-23 by ann@laptop)',
        'out-of-rotation',
        'heal',
      ],
    ],
    [
      'by a mark that was not cleared',
      aDroplet({}, { inLedger: true }),
      ['web-1: is in rotation, but still marked out', 'recorded-as-out', 'heal'],
    ],
    [
      'by not answering',
      aDroplet({}, { answer: { unreachable: 'connection refused' } }),
      ['web-1: is unreachable, so it was not compared: connection refused', 'unreachable'],
    ],
    [
      'by being off',
      aDroplet({}, { power: 'off', answer: { unreachable: 'it was not asked' } }),
      ['web-1: is off, so it was not compared', 'not-running'],
    ],
    [
      'by its Docker version',
      aDroplet({ docker: '27.5.1' }),
      ['web-1: Docker is 27.5.1, but 28.2 on the others', 'docker-differs'],
    ],
    [
      'by a Docker that is too old',
      aDroplet({ docker: '19.3.15' }),
      ['web-1: Docker 19.3.15 is older than 20.10', 'docker-old'],
    ],
    [
      'by not having Docker',
      aDroplet({ docker: undefined, compose: undefined, problem: 'Cannot connect' } as never),
      ['web-1: Docker does not answer: Cannot connect', 'docker-missing'],
    ],
    [
      'by its Compose version',
      aDroplet({ compose: '2.30.1' }),
      ['web-1: Docker Compose is 2.30.1, but 2.36 on the others', 'compose-differs'],
    ],
    [
      'by a Compose that is too old',
      aDroplet({ compose: '1.29.2' }),
      ['web-1: Docker Compose 1.29.2 is older than 2', 'compose-old'],
    ],
    [
      'by a disk that is nearly full',
      aDroplet({ diskFreeBytes: 700 * 1024 * 1024, diskUsed: '97%' }),
      ["web-1: only 700 MB free on Docker's disk, 97% used", 'disk-low'],
    ],
    ['by its clock', aDroplet({ clockAheadMs: -61_000 }), ['web-1: its clock is 1 min 1 s behind', 'clock']],
    [
      'by its clock, with the command that sets it',
      aDroplet({ clockAheadMs: 61_000, login: 'ssh root@web-1' }),
      ['web-1: its clock is 1 min 1 s ahead: ssh root@web-1 sudo timedatectl set-ntp true', 'clock'],
    ],
  ])('%s', (_, droplet, ...expected) => {
    expect(found(aFleet(droplet))).toEqual(expected);
  });

  it('in several ways, with a line for each', () => {
    const droplet = aDroplet({ compose: '2.30.1', containers: [], clockAheadMs: 9_000 }, { inLedger: true });
    expect(findDifferences(aFleet(droplet)).map(({ kind }) => kind)).toEqual([
      'recorded-as-out',
      'container-missing',
      'compose-differs',
      'clock',
    ]);
  });
});

describe('no difference is reported', () => {
  it.each<[string, Partial<DropletCheckup>]>([
    ['when it got a patch of Docker first', { docker: '28.2.9', compose: '2.36.1-1' }],
    ['when its container restarted long ago', { containers: [aContainer({ restarts: 9 })] }],
    ['when its clock is slightly off', { clockAheadMs: CLOCK_TOLERANCE_MS }],
  ])('%s', (_, answer) => {
    expect(findDifferences(aFleet(aDroplet(answer)))).toEqual([]);
  });

  it('when a droplet runs the image that was built on it', () => {
    const built = { app: { reference: 'shop-app', imageId: OTHER } };
    const containers = [aContainer({ imageId: OTHER })];
    expect(findDifferences(aFleet(aDroplet({ built, containers })))).toEqual([]);
    expect(findDifferences(aFleet(aDroplet({ built })))).toMatchObject([{ kind: 'image-differs' }]);
  });

  it('when the clock of this machine is wrong', () => {
    const droplets = ['web-1', 'web-2'].map((name) => aDroplet({ clockAheadMs: 90_000 }, { name }));
    expect(findDifferences(aFleet(aDroplet(), { droplets }))).toEqual([]);
  });
});

it('a worker is reported that somebody untagged, or that a rollout left recorded', () => {
  const recorded = aDroplet({}, { rotation: 'none', inLedger: true, outSince: 'noon by ann' });
  const fleet = aFleet(recorded, { target: 'tag "workers"', isBalanced: false, departed: ['worker-4'] });
  expect(found(fleet)).toEqual([
    ['web-1: is still recorded as being changed (since noon by ann)', 'recorded-as-out', 'heal'],
    [
      'worker-4: no longer has the tag "workers", as it had at the last rollout; tag it again, then run adopt',
      'departed',
    ],
  ]);
});

it('a droplet that was removed from the balancer by hand is reported', () => {
  expect(found(aFleet(aDroplet(), { departed: ['web-4'] }))).toEqual([
    [
      'web-4: is no longer behind load balancer "web", as it was at the last rollout; add it there again, then run adopt',
      'departed',
    ],
  ]);
});

it('without any deploy, there is nothing to adopt', () => {
  const empty = aDroplet({ current: undefined, containers: [] } as never);
  const { release: _, ...fleet } = aFleet(empty, { droplets: [empty] });
  expect(found(fleet)).toEqual([['web-1: runs no release', 'no-release']]);
});

describe('beside a canary', () => {
  const canary = { ...aFleet(aDroplet()).release, id: '20261125T000000Z-v3' } as NonNullable<FleetFacts['canary']>;
  const changedFiles = [{ path: 'images.yml', deployed: '1'.repeat(64) }];
  const fixes = (droplet: DropletFacts) =>
    findDifferences({ ...aFleet(droplet), canary }).map(({ kind, fix }) => [kind, fix]);

  it('adopt fixes nothing of it, and heal comes first where a killed run has left a droplet half-way', () => {
    expect(fixes(aDroplet({ halfWayTo: canary.id }))).toEqual([
      ['other-release', 'heal'],
      ['half-done', 'heal'],
    ]);
    expect(fixes(aDroplet({ current: canary.id, changedFiles }))).toEqual([['file-missing', undefined]]);
  });

  it('the others are brought to the release of the fleet', () => {
    expect(fixes(aDroplet({ changedFiles }))).toEqual([['file-missing', 'adopt']]);
  });
});

describe('what runs something else', () => {
  const other = (name: string) => aDroplet({ current: '20261123T000000Z-v1' }, { name });
  const sick = { containers: [aContainer({ state: 'exited', exitCode: 1, restartPolicy: 'no' })] };
  const fixes = (first: DropletFacts) =>
    findDifferences(aFleet(first, { droplets: [first, other('web-2')] })).flatMap(({ kind, fix }) =>
      kind === 'other-release' ? [fix] : [],
    );

  it('is brought to a release that runs well', () => {
    expect(fixes(aDroplet())).toEqual(['adopt']);
    const changed = [{ path: 'images.yml', deployed: '1'.repeat(64) }];
    expect(fixes(aDroplet({ changedFiles: changed }))).toEqual(['adopt']);
  });

  it('is not brought to one that is sick, or out, wherever it runs', () => {
    expect(fixes(aDroplet(sick))).toEqual([undefined]);
    expect(fixes(aDroplet({}, { inLedger: true, rotation: 'out' }))).toEqual([undefined]);
  });
});

it('the bundle that droplets boot into is not that of the release', () => {
  const bundle = 'holds r1 instead of r2: a droplet that boots now gets that';
  expect(findDifferences(aFleet(aDroplet(), { bundle }))).toEqual([
    { droplet: 'bundle', kind: 'bundle', message: bundle, fix: 'adopt' },
  ]);
});
