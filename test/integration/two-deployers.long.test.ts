/** Two people, or a person and a CI job, deploy to the same fleet at the same time. */
import { describe, expect, it } from 'vitest';
import type { Holder } from '../../src/deploy/lease/lease-commands.js';
import { type Borrowed, fleetPool } from './fleet-pool.js';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { begins, when } from './moments.js';
import type { CommandEnd } from './sandbox-fleet.js';

const ANN = { GITHUB_ACTOR: 'ann', GITHUB_REPOSITORY: 'acme/shop', GITHUB_RUN_ID: '41' };
const BEN = { GITHUB_ACTOR: 'ben', GITHUB_REPOSITORY: 'acme/shop', GITHUB_RUN_ID: '42' };
const RUN_OF = {
  ann: 'https://github.com/acme/shop/actions/runs/41',
  ben: 'https://github.com/acme/shop/actions/runs/42',
};

const deploy = (version: string, ...more: string[]) => ['deploy', 'sandbox', version, '--yes', '--json', ...more];

describe('of two deployers', () => {
  const withFleet = fleetPool();

  it.concurrent('that start at the same time, exactly one continues, and the other names it', () =>
    withFleet(bothAtOnce));
  it.concurrent('the second sees the lock of the first and can break it', () => withFleet(oneBreaks));
  it.concurrent('the second waits for the first with --wait-lock', () => withFleet(oneWaits));
  it.concurrent('the second gets the lock when the first is killed', () => withFleet(oneDies));
  it.concurrent('one that was stopped while another deployed changes nothing more', () => withFleet(oneIsStopped));
});

async function bothAtOnce({ fleet, next, discard }: Borrowed): Promise<void> {
  // The other tests know v1 and v2 only.
  discard();
  const load = fleet.load(20);
  const ends = await Promise.all([
    fleet.run(deploy(next), { env: ANN }),
    fleet.run(deploy('v3'), { env: BEN, cwd: await fleet.freshCheckout() }),
  ]);
  expect(ends.map(({ code }) => code).sort()).toEqual([0, 3]);
  const annWon = ends[0].code === 0;
  const [winner, loser] = (annWon ? ends : [...ends].reverse()) as [CommandEnd, CommandEnd];
  const { code, message } = loser.result?.error ?? {};
  expect(code).toBe('lease-held');
  expect(message).toContain(annWon ? 'ann@' : 'ben@');
  expect(message).toContain(annWon ? RUN_OF.ann : RUN_OF.ben);
  expect(message).toContain(`release ${winner.result?.release.id}`);
  expect(message).toMatch(/since \d{4}-\d\d-\d\dT/);
  expect(loser.events.some(({ type }) => type === 'batch-started')).toBe(false);

  expect(expectWhole(fleet, ['v1', 'v2', 'v3'])).toBe(annWon ? next : 'v3');
  expectNoFailures(await load.stop());
}

async function oneWaits({ fleet, old, next }: Borrowed): Promise<void> {
  const load = fleet.load(20);
  const first = fleet.start(deploy(next), { env: ANN });
  await when(first, begins('mark-out', 'web-1'));
  const second = fleet.start(deploy(old, '--wait-lock', '5m'), { env: BEN });
  const told = await when(second, (event) => event.type === 'notice' && event.message.includes('Waiting'));
  expect(told).toMatchObject({ message: expect.stringContaining('ann@') });
  expect(await first.ended).toMatchObject({ code: 0 });
  expect(await second.ended).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(expectWhole(fleet)).toBe(old);
  expectNoFailures(await load.stop());
}

async function oneBreaks({ fleet, next }: Borrowed): Promise<void> {
  const load = fleet.load(20);
  const first = fleet.start(deploy(next), { env: ANN });
  await when(first, begins('drain', 'web-1'));
  const status = await fleet.run(['lock', 'status', 'sandbox', '--json']);
  const { rows } = JSON.parse(status.stdout) as { rows: { droplet: string; state: string; holder: Holder }[] };
  expect(rows.map(({ droplet, state }) => [droplet, state])).toEqual([
    ['web-1', 'held'],
    ['web-2', 'held'],
  ]);
  expect(rows[0]?.holder).toMatchObject({ who: expect.stringContaining('ann@'), url: RUN_OF.ann });

  const broken = await fleet.run(['lock', 'break', 'sandbox', '--yes']);
  expect(broken).toMatchObject({ code: 0, stdout: expect.stringMatching(/web-1: broken.*ann@[\s\S]*web-2: broken/) });
  const healed = await fleet.run(['heal', 'sandbox', '--json', '--wait-lock', '1m'], { env: BEN });
  expect(healed.code, healed.stdout).toBe(0);
  const { code, result } = await first.ended;
  expect([code, result?.error?.code]).toEqual([1, 'lease-lost']);
  const history = await fleet.run(['history', 'sandbox', '--json']);
  expect(history.events).toContainEqual(
    expect.objectContaining({
      outcome: 'failed',
      who: expect.stringContaining('ann@'),
      error: expect.objectContaining({ code: 'lease-lost' }),
    }),
  );
  expectWhole(fleet);
  expectNoFailures(await load.stop());
}

async function oneDies({ fleet, old, next }: Borrowed): Promise<void> {
  const load = fleet.load(20);
  const first = fleet.start(deploy(next), { env: ANN });
  await when(first, begins('health', 'web-1'), () => void first.child.kill('SIGKILL'));
  await first.ended;
  const second = await fleet.run(deploy(old), { env: BEN });
  expect(second, second.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(expectWhole(fleet)).toBe(old);
  expectNoFailures(await load.stop());
}

/** A laptop that sleeps, or SIGSTOP: longer than the lock lives without a heartbeat. */
const STOPPED_MS = 16_000;
/** A name that `echo` in dash would turn into something else. */
const CORP_ANN = { ...BEN, GITHUB_ACTOR: String.raw`CORP\ann` };

async function oneIsStopped({ fleet, next, discard }: Borrowed): Promise<void> {
  // The others know of v1 and v2 only.
  discard();
  const load = fleet.load(20);
  const first = fleet.start(deploy(next), { env: ANN });
  await when(first, begins('switch', 'web-1'), () => void first.child.kill('SIGSTOP'));
  await new Promise((resolve) => setTimeout(resolve, STOPPED_MS));
  const second = await fleet.run(deploy('v3', '--wait-lock', '1m'), { env: CORP_ANN });
  expect(second, second.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(expectWhole(fleet, ['v3'])).toBe('v3');
  first.child.kill('SIGCONT');
  const { code, result } = await first.ended;
  expect([code, result?.outcome, result?.error?.code]).toEqual([1, 'failed', 'lease-lost']);
  expect(result?.error?.message).toContain(String.raw`CORP\ann@`);
  expect(expectWhole(fleet, ['v3'])).toBe('v3');
  expectNoFailures(await load.stop());
}
