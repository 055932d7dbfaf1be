/** Events of a rollout, for tests of their readers. */
import type { DeployEvent, DeployEventBody, DeployResult, Evidence, StatusRow, Step } from '../../src/rollout/model.js';
import { ROLLING_STEPS, STAGING_STEPS } from '../../src/rollout/model.js';

type Started = Extract<DeployEventBody, { type: 'rollout-started' }>;

export const START = Date.parse('2026-11-21T07:45:00.000Z');
export const V1 = '20261120T074500Z-v1';
export const V2 = '20261121T074500Z-v2';

export function eventAt(ms: number, body: DeployEventBody): DeployEvent {
  return { schema: 2, at: new Date(START + ms).toISOString(), ...body };
}

export function aRow(n: number, changes: Partial<StatusRow> = {}): StatusRow {
  return {
    id: 400_000_000 + n,
    name: `web-${n}`,
    address: `203.0.113.${n}`,
    rotation: 'in',
    release: V1,
    health: 'healthy',
    outcome: 'not deployed',
    ...changes,
  };
}

export function started(rows: StatusRow[], command: Started['command'] = 'deploy'): Started {
  return {
    type: 'rollout-started',
    command,
    app: 'shop',
    environment: 'production',
    release: { id: V2, imageTag: 'v2' },
    target: 'load balancer "web" (203.0.113.200)',
    rows,
  };
}

export function result(outcome: DeployResult['outcome'], changes: Partial<DeployResult> = {}): DeployResult {
  return {
    outcome,
    release: { id: V2, imageTag: 'v2' },
    rows: [aRow(1), aRow(2), aRow(3)],
    durationMs: 24_000,
    summary: 'All 3 droplets are in rotation.',
    ...changes,
  };
}

export const OUT_OF_MEMORY: Evidence = {
  cause: 'app exited 137: out of memory',
  containers: [
    {
      service: 'app',
      state: 'exited',
      exitCode: 137,
      oomKilled: true,
      restarts: 3,
      healthOutput: ['curl: (7) Failed to connect to localhost port 8080'],
      log: ['Starting shop v2', 'Heap is 512 MB', 'Killed'],
    },
    { service: 'nginx', state: 'running', health: 'healthy', restarts: 0 },
  ],
  disk: "92% of Docker's disk used when the deploy began",
  resources: ["92% of Docker's disk used, 1.8 GB free, when the deploy began", '212 MB of 1.9 GB of memory available'],
};

const DETAILS: Partial<Record<Step, string>> = {
  pull: '2 images',
  drain: 'no connection was cut',
  'balancer-check': 'HTTP 200 in 12 ms',
};

/** A rollout from v1 to v2, one droplet at a time; droplet `failing` fails its health check and stays out. */
export function scriptedRollout(droplets = 3, failing = 0): DeployEvent[] {
  const events: DeployEvent[] = [];
  let ms = 0;
  const say = (body: DeployEventBody) => events.push(eventAt(ms, body));
  let rows = Array.from({ length: droplets }, (_, index) => aRow(index + 1, { release: '', health: '' }));
  const change = (name: string, changes: Partial<StatusRow>) => {
    rows = rows.map((row) => (row.name === name ? { ...row, ...changes } : row));
    for (const row of rows) if (row.name === name) say({ type: 'row-changed', row });
  };

  say({ type: 'phase-started', phase: 'discover' });
  say(started(rows));
  say({ type: 'phase-started', phase: 'lease' });
  say({ type: 'phase-started', phase: 'stage' });
  // Nothing is built.
  for (const step of STAGING_STEPS.filter((one) => one !== 'build' && one !== 'prepare')) {
    for (const { name } of rows) say({ type: 'step-started', droplet: name, step });
    ms += 900;
    for (const { name } of rows) say({ type: 'step-finished', droplet: name, step, ms: 900, ...detailOf(step) });
  }
  for (const { name } of rows) change(name, { release: V1, health: 'healthy' });
  say({ type: 'phase-started', phase: 'roll' });
  say({ type: 'forecast', release: { id: V2, imageTag: 'v2' }, batches: droplets });
  const serve = (serving: number) => say({ type: 'capacity', serving, of: droplets, floor: droplets - 1 });
  serve(droplets);
  const end = (outcome: DeployResult): DeployEvent[] => {
    say({ type: 'rollout-finished', result: { ...outcome, rows, durationMs: ms } });
    return events;
  };

  for (const [index, { name }] of [...rows].entries()) {
    say({ type: 'batch-started', batch: index + 1, droplets: [name], left: droplets - index - 1 });
    for (const step of ROLLING_STEPS) {
      change(name, { outcome: 'in progress', step });
      say({ type: 'step-started', droplet: name, step, release: V2 });
      if (step === 'drain') say({ type: 'step-progress', droplet: name, step, detail: '3 connections' });
      ms += 1_200;
      if (step === 'health' && index + 1 === failing) {
        const error = {
          code: 'health-failed',
          message: 'app exited 137: out of memory',
          source: 'external',
          hint: 'Give app more memory, or the droplet.',
          droplet: name,
          step,
        } as const;
        say({ type: 'step-failed', droplet: name, step, ms: 1_200, error });
        say({ type: 'evidence-collected', droplet: name, evidence: OUT_OF_MEMORY });
        change(name, { outcome: 'deploy failed', release: V2, health: 'not healthy', detail: error.code });
        return end(
          result('failed', {
            error,
            evidence: [{ droplet: name, evidence: OUT_OF_MEMORY }],
            summary: `1 droplet is out of rotation and recorded as such; ${droplets - 1} of ${droplets} are in rotation.`,
            next: 'do-deploy heal production',
          }),
        );
      }
      say({ type: 'step-finished', droplet: name, step, ms: 1_200, ...detailOf(step) });
      if (step === 'leave') {
        serve(droplets - 1);
        change(name, { rotation: 'out' });
      }
      if (step === 'rejoin') {
        serve(droplets);
        change(name, { rotation: 'in' });
      }
    }
    rows = rows.map((row) => (row.name === name ? aRow(index + 1, { release: V2, outcome: 'deployed' }) : row));
    change(name, {});
  }
  say({ type: 'phase-started', phase: 'finish' });
  return end(result('succeeded'));
}

function detailOf(step: Step): { detail?: string } {
  const detail = DETAILS[step];
  return detail === undefined ? {} : { detail };
}

/** The same run with a probe of its public address twice a second. */
export function withProbes(events: readonly DeployEvent[], failingAt = Number.POSITIVE_INFINITY): DeployEvent[] {
  const [first, last] = [events[0], events.at(-1)].map((event) => Date.parse(event?.at ?? '') - START);
  const probed: DeployEvent[] = [];
  let [total, failed] = [0, 0];
  for (let ms = (first ?? 0) + 6_000; ms < (last ?? 0); ms += 2_000) {
    total += 4;
    failed += Math.abs(ms - failingAt) < 1_000 ? 1 : 0;
    const slowestMs = 30 + ((ms / 2_000) % 7) * 6;
    probed.push(eventAt(ms, { type: 'probed', total, failed, slowestMs }));
  }
  return [...events, ...probed].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
