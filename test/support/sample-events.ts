import type { DeployEvent, DeployEventBody } from '../../src/rollout/model.js';
import { aRow, eventAt, OUT_OF_MEMORY, result, started, V2 } from './scripted-events.js';

const ERROR = {
  code: 'health-timeout',
  message: 'Not healthy within 120 s: app restarting (exited 137, out of memory).',
  source: 'external',
  hint: 'Give app more memory, then deploy again.',
  droplet: 'web-2',
  step: 'health',
} as const;

const FAILED_ROW = aRow(2, { rotation: 'out', release: V2, health: 'not healthy', outcome: 'deploy failed' });

/** TypeScript rejects this if a type is missing. */
const BODIES: { [Type in DeployEventBody['type']]: Extract<DeployEventBody, { type: Type }> } = {
  'rollout-started': started([aRow(1, { release: '', health: '' }), aRow(2, { release: '', health: '' })]),
  'phase-started': { type: 'phase-started', phase: 'stage' },
  'batch-started': { type: 'batch-started', batch: 2, droplets: ['web-2'], left: 0 },
  'rest-started': { type: 'rest-started', rest: 'pause', ms: 120_000 },
  'rest-finished': { type: 'rest-finished', rest: 'pause', ms: 45_000 },
  'watch-failed': {
    type: 'watch-failed',
    error: { code: 'unhealthy', message: 'App is unhealthy.', source: 'external', droplet: 'web-1' },
  },
  'step-started': { type: 'step-started', droplet: 'web-2', step: 'switch', release: V2 },
  'step-progress': { type: 'step-progress', droplet: 'web-2', step: 'health', detail: 'app starting' },
  'step-finished': {
    type: 'step-finished',
    droplet: 'web-2',
    step: 'balancer-check',
    ms: 18,
    detail: 'HTTP 200 in 12 ms',
  },
  'step-failed': { type: 'step-failed', droplet: 'web-2', step: 'health', ms: 120_000, error: ERROR },
  'evidence-collected': { type: 'evidence-collected', droplet: 'web-2', evidence: OUT_OF_MEMORY },
  'row-changed': { type: 'row-changed', row: FAILED_ROW },
  notice: { type: 'notice', level: 'warning', message: 'Disk is 92% full.', droplet: 'web-2' },
  trace: {
    type: 'trace',
    kind: 'command',
    what: 'ssh web-2: run survey: exit code 0',
    ms: 41,
    detail: '812 bytes out, 0 bytes of errors',
  },
  forecast: {
    type: 'forecast',
    release: { id: V2, imageTag: 'v2' },
    batches: 2,
    bakeMs: 600_000,
    estimate: { ms: 151_000, runs: 4 },
  },
  capacity: { type: 'capacity', serving: 1, of: 2, floor: 1 },
  probed: { type: 'probed', total: 142, failed: 0, slowestMs: 84 },
  'task-started': { type: 'task-started', task: 'wait-lock', detail: 'another deploy by ann@laptop' },
  'task-finished': { type: 'task-finished', task: 'wait-lock', ms: 64_000 },
  'still-running': { type: 'still-running', message: 'still pulling images on web-2 (30 s)' },
  'deploy-interrupted': {
    type: 'deploy-interrupted',
    signal: 'SIGINT',
    detail: 'Finishing what is under way, within 60 s. A second signal, 1 s later or more, stops immediately.',
  },
  'rollout-finished': {
    type: 'rollout-finished',
    command: 'deploy',
    run: `deploy ${V2} 2026-11-21T07:45:00.000Z ann@laptop`,
    result: result('failed', {
      rows: [aRow(1, { release: V2, outcome: 'deployed' }), FAILED_ROW],
      durationMs: 151_000,
      summary: '1 droplet is out of rotation and recorded as such; 1 of 2 is in rotation.',
      error: ERROR,
      evidence: [{ droplet: 'web-2', evidence: OUT_OF_MEMORY }],
      next: 'do-deploy heal production',
    }),
  },
  'layer-started': { type: 'layer-started', name: 'layer migrate', event: 'deploy' },
  'layer-output': { type: 'layer-output', name: 'layer migrate', event: 'deploy', line: 'migrated 3 tables' },
  'layer-finished': { type: 'layer-finished', name: 'layer migrate', event: 'deploy', ms: 4_210 },
};

/** One event of each type, as docs/events.md shows them. */
export const SAMPLE_EVENTS: DeployEvent[] = Object.values(BODIES).map((body, index) => eventAt(index * 1_000, body));
