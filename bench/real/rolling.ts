/**
 * Benchmark 1: a rolling deploy on the real fleet. Three droplets, checks every 2 s, two passes, three failures. Before each
 * measured run, the whole fleet goes back to the other release and every unused image is removed. Two situations have a fleet
 * of their own: a balancer that keeps its connections, and a project whose nginx has no healthcheck.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fleet, type FleetOptions } from '../../test/e2e/lab/fleet.js';
import { type Contestant, doDeploy, scripts } from './contestants.js';
import { median } from './median.js';

export interface RollingOptions {
  /** Runs of each contestant in each situation; medians are reported. */
  rounds: number;
  /** Delay until the balancer follows a change, in s. */
  delays: number[];
  /** Names of the only special situations to measure. */
  only?: string[];
}

interface Situation {
  delaySeconds: number;
  load: boolean;
  /** What is special about its fleet. */
  special?: string;
}

interface Special {
  name: string;
  options?: Partial<FleetOptions>;
  prepare?(fleet: Fleet): Promise<void>;
}

const CHECKS = { healthCheck: { intervalSeconds: 2 }, effectDelayMs: 0 };

const SPECIAL: readonly Special[] = [
  { name: 'kept connections', options: { keepAlive: true } },
  {
    name: 'no healthcheck',
    prepare: async ({ project }) => {
      const file = 'compose/docker-compose.production.yml';
      const text = await readFile(join(project.folder, file), 'utf8');
      const [before = '', nginx = ''] = text.split(/(?=\n {2}nginx:)/);
      await project.write(file, before + nginx.replace(/healthcheck:.*/, 'healthcheck: !reset null'));
    },
  },
];

interface Run {
  code: number | null;
  seconds: number;
  /** Mean over the droplets. */
  outSeconds: number;
  requests: number;
  failed: number;
  fewest: number;
}

export async function measureRolling(options: RollingOptions): Promise<Record<string, string>[]> {
  const { delays, only } = options;
  const middle = Math.min(1, Math.max(...delays));
  const rows: Record<string, string>[] = [];
  const usual = delays.flatMap((delaySeconds) => [true, false].map((load) => ({ delaySeconds, load })));
  if (only === undefined) rows.push(...(await measureOn({ name: '' }, usual, options)));
  for (const special of SPECIAL.filter(({ name }) => only === undefined || only.includes(name))) {
    const situation = { delaySeconds: middle, load: true, special: special.name };
    rows.push(...(await measureOn(special, [situation], options)));
  }
  return rows;
}

/** On a fleet of its own. */
async function measureOn(
  special: Special,
  situations: readonly Situation[],
  options: RollingOptions,
): Promise<Record<string, string>[]> {
  const fleet = await Fleet.start({ ...CHECKS, ...special.options });
  try {
    await special.prepare?.(fleet);
    await fleet.deployFirst('v1');
    return await measureAll(fleet, situations, options);
  } finally {
    await fleet.stop();
  }
}

async function measureAll(
  fleet: Fleet,
  situations: readonly Situation[],
  { rounds, delays }: RollingOptions,
): Promise<Record<string, string>[]> {
  const { floor, classic, ansible } = await scripts(fleet);
  const ours = doDeploy(fleet);
  const rows: Record<string, string>[] = [];
  for (const situation of situations) {
    // Contestants without a target run only once, in the middle situation.
    const { load, delaySeconds, special } = situation;
    const all = load && special === undefined && delaySeconds === Math.min(1, Math.max(...delays));
    const contestants = [floor, ours, ...(all ? [classic, ansible] : [])];
    const runs = new Map<Contestant, Run[]>(contestants.map((contestant) => [contestant, []]));
    for (let round = 0; round < rounds; round += 1) {
      // They take turns, so that a machine that changes its speed changes it for all.
      for (const contestant of contestants) {
        const run = await measure(fleet, contestant, situation);
        runs.get(contestant)?.push(run);
        const { seconds, outSeconds, failed, requests, fewest } = run;
        process.stderr.write(
          `${contestant.name}, ${nameOf(situation)}: ${seconds.toFixed(1)} s, out ${outSeconds.toFixed(1)} s, ${failed}/${requests} failed, fewest ${fewest}\n`,
        );
        if (contestant.breakdown) process.stderr.write(`  ${contestant.breakdown()}\n`);
      }
    }
    const base = summary(runs.get(floor) ?? []);
    for (const [contestant, own] of runs) rows.push(rowOf(contestant, situation, summary(own), base));
  }
  return rows;
}

async function measure(fleet: Fleet, contestant: Contestant, { delaySeconds, load }: Situation): Promise<Run> {
  await reset(fleet);
  fleet.world.timing.effectDelayMs = delaySeconds * 1_000;
  const traffic = load ? fleet.load({ requestsPerSecond: 50 }) : undefined;
  // Traffic before the deploy, as in production.
  await sleep(2_000);
  fleet.balancer.watchServing();
  const began = performance.now();
  const code = await contestant.deploy('v2');
  const seconds = (performance.now() - began) / 1_000;
  // A contestant that does not wait may end before its last droplet serves.
  await sleep(delaySeconds * 1_000 + 500);
  await fleet.balancer.allUp();
  const out = [...fleet.balancer.outMs.values()];
  const report = await traffic?.stop();
  const versions = Object.values(await fleet.versions());
  if (versions.some((version) => version !== 'v2')) throw new Error(`${contestant.name} left ${versions}`);
  return {
    code,
    seconds,
    outSeconds: out.reduce((sum, ms) => sum + ms, 0) / out.length / 1_000,
    requests: report?.total ?? 0,
    failed: report?.failed ?? 0,
    fewest: fleet.balancer.fewestServing,
  };
}

/** Takes all droplets back to v1 and removes the images of v2, so that the next run pulls again. */
async function reset(fleet: Fleet): Promise<void> {
  fleet.world.timing.effectDelayMs = 0;
  const first = ['--config', 'config/at-once.yml', '--allow-downtime', '--force'];
  const end = await fleet.run(['deploy', 'production', 'v1', '--yes', '--json', ...first]);
  if (end.code !== 0) throw new Error(`the fleet could not be reset:\n${end.stdout.slice(-2_000)}${end.stderr}`);
  await fleet.balancer.allUp();
  await Promise.all(fleet.machines.map((machine) => machine.must('docker image prune --all --force >/dev/null')));
}

function summary(runs: Run[]): Run {
  const middle = (pick: (run: Run) => number) => median(runs.map(pick));
  return {
    code: runs.find(({ code }) => code !== 0)?.code ?? 0,
    seconds: middle(({ seconds }) => seconds),
    outSeconds: middle(({ outSeconds }) => outSeconds),
    requests: runs.reduce((sum, { requests }) => sum + requests, 0),
    failed: runs.reduce((sum, { failed }) => sum + failed, 0),
    fewest: Math.min(...runs.map(({ fewest }) => fewest)),
  };
}

function rowOf(contestant: Contestant, situation: Situation, run: Run, base: Run): Record<string, string> {
  return {
    situation: nameOf(situation),
    '': contestant.name,
    'total s': run.seconds.toFixed(1),
    'total ÷ floor': (run.seconds / base.seconds).toFixed(2),
    'out s/droplet': run.outSeconds.toFixed(1),
    'out ÷ floor': (run.outSeconds / base.outSeconds).toFixed(2),
    'failed requests': situation.load ? `${run.failed} of ${run.requests}` : '–',
    'fewest in rotation': `${run.fewest} of 3`,
    'exit code': String(run.code),
  };
}

function nameOf({ delaySeconds, load, special }: Situation): string {
  const traffic = `${load ? '50 requests/s' : 'health checks only'}, effect after ${delaySeconds} s`;
  return special === undefined ? traffic : `${traffic}, ${special}`;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
