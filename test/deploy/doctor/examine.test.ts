/** Doctor on simulated fleets: what earlier runs have left, and that it changes nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorFinding } from '../../../src/rollout/doctor.js';
import { CALM } from '../../simulation/calm.js';
import type { Examined } from '../../simulation/plan-fleet.js';
import type { Scenario } from '../../simulation/scenario.js';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('doctor');
});
afterAll(removeCopies);

/** The simulated compose files give no service a restart policy, and the droplets' clocks are wrong. */
const isUsual = ({ area, name }: DoctorFinding) => area === 'compose' || name === 'clock';
const shown = ({ report }: Examined) =>
  report.findings
    .filter((one) => !isUsual(one))
    .map(({ name, droplets }) => [name, droplets.join()].filter(Boolean).join(' '));

/** A balancer that is quick. */
const calm = () => ({ check: { ...CALM.check, intervalSeconds: 3, healthyThreshold: 2 } });

/** Ids, tags and files of everything. */
function stateOf({ world }: ReturnType<typeof fleetOf>): string {
  const droplets = [...world.droplets.values()].map(({ disk, tags, containers, lock }) => {
    return [disk, tags, containers.map(({ id, startedAt }) => [id, startedAt]), lock];
  });
  const members = [...world.droplets.values()].map((droplet) => world.isMember(droplet));
  return JSON.stringify([droplets, members], (_, value) =>
    value instanceof Map || value instanceof Set ? [...value] : value,
  );
}

describe('doctor changes nothing, and finds nothing', () => {
  const FLEETS: [string, Partial<Scenario>][] = [
    ['behind a balancer', { fleet: 3 }],
    ['of workers with a tag', { fleet: 3, target: 'tagged' }],
    ['in a list', { fleet: 3, target: 'listed' }],
    ['of one droplet', { fleet: 1, target: 'droplet' }],
    ['with roles', { fleet: 4, target: 'roles' }],
  ];
  it.each(FLEETS)('on a fleet %s', async (_, story) => {
    const fleet = fleetOf({ ...story, ...calm() });
    const before = stateOf(fleet);
    const examined = await fleet.doctor();
    expect(shown(examined)).toEqual([]);
    expect(examined.report.droplets).toBe(story.fleet);
    expect(examined.report.findings.map(({ name }) => name)).toContain('restart-missing');
    const { calls, commands, others } = examined;
    expect(calls.filter((name) => !/^(get|list|firewalls|missingScopes)/.test(name))).toEqual([]);
    expect(commands.length).toBeGreaterThan(0);
    expect(commands.filter(({ reads }) => reads !== true).map(({ name }) => name)).toEqual([]);
    expect(others).toEqual([]);
    expect(stateOf(fleet)).toBe(before);
  });

  it('reads a droplet over one connection, in two round trips', async () => {
    const fleet = fleetOf({ fleet: 1, target: 'droplet' });
    const { commands } = await fleet.doctor();
    expect(commands.map(({ name }) => name)).toEqual([
      'survey',
      'history',
      'lease-status',
      'machine-facts',
      'read-project',
      'images-present',
    ]);
  });
});

describe('what earlier runs have left', () => {
  it('a deployer that died while it changed a droplet', async () => {
    const fleet = fleetOf({ fleet: 3, ...calm() });
    const crash = { call: 'switch', nth: 0, applied: true, power: false };
    expect(await fleet.run('deploy', 'v3', { crash })).toBeUndefined();
    const found = shown(await fleet.doctor());
    expect(found).toEqual(expect.arrayContaining(['out-of-rotation web-1', 'half-done web-1']));
    expect(found.join()).not.toMatch(/web-[23]/);
  });

  it('one that died before it cleared the record of a droplet that serves again: --fix may do it', async () => {
    const fleet = fleetOf({ fleet: 3, ...calm() });
    const crash = { call: 'untag', nth: 1, applied: false, power: false };
    expect(await fleet.run('deploy', 'v3', { crash })).toBeUndefined();
    const { report } = await fleet.doctor();
    const record = report.findings.find(({ name }) => name === 'recorded-as-out');
    expect(record).toMatchObject({ droplets: ['web-1'], fix: 'do-deploy heal production', fixable: true });
  });

  it('a droplet that cannot be reached is one finding, and the others are read', async () => {
    const fleet = fleetOf({ fleet: 3, ...calm() });
    const [first] = [...fleet.world.droplets.values()];
    if (first) first.sshRefusedUntil = Number.POSITIVE_INFINITY;
    const examined = await fleet.doctor();
    expect(shown(examined)).toEqual(['ssh-unreachable web-1']);
    expect(examined.report.droplets).toBe(2);
  });

  it('a Docker that is down is one finding', async () => {
    const fleet = fleetOf({ fleet: 3, ...calm() });
    const [first] = [...fleet.world.droplets.values()];
    if (first) first.dockerDownUntil = Number.POSITIVE_INFINITY;
    expect(shown(await fleet.doctor())).toEqual(['docker-missing web-1']);
  });
});

describe('what keeps a rollout from beginning', () => {
  it('a floor that cannot be kept, and a fleet of one', async () => {
    const impossible = fleetOf({ fleet: 2, ...calm(), policy: { ...CALM.policy, minInRotation: 2 } });
    expect(shown(await impossible.doctor())).toEqual(['floor-impossible']);
    const { report } = await fleetOf({ fleet: 1, ...calm() }).doctor();
    expect(report.findings.find(({ name }) => name === 'fleet-of-one')).toMatchObject({ severity: 'warning' });
  });

  it('nothing, where a person has taken a droplet out; it is said', async () => {
    const fleet = fleetOf({ fleet: 3, ...calm() });
    await fleet.run('droplet out', 'web-2');
    const { report } = await fleet.doctor();
    const [found, ...others] = report.findings.filter((one) => !isUsual(one));
    expect(found).toMatchObject({ name: 'taken-out-by-hand', fix: 'do-deploy droplet in production web-2' });
    expect(others).toEqual([]);
  });
});
