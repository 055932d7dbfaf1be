import { z } from 'zod';
import { parseDuration } from '../duration.js';
import { defineSection, type SectionContext } from '../section.js';
import type { BatchSize, HttpCheckSettings, RolloutSettings } from '../settings.js';
import { duration, map, text, wholeNumber } from '../values.js';
import { gates, resolveGates } from './gates.js';
import { probe, resolveProbe } from './probe.js';

const DEFAULTS = {
  batch: 1,
  drain: { timeout: '30s' },
  health: { timeout: '2m', http: { port: 80, path: '/', interval: '2s', timeout: '5s' } },
  on_failure: 'revert-droplet',
  interrupt_grace: '60s',
} as const;

const BATCH = 'must be a number of droplets, a percentage, all, or a list of these';
const batchSize = z.union(
  [z.int({ error: BATCH }).min(1, { error: BATCH }), text(BATCH, /^(all|[1-9]\d*|([1-9]\d?|100)%)$/)],
  { error: BATCH },
);

function toBatchSize(value: string | number): BatchSize {
  if (value === 'all' || typeof value === 'number') return value;
  return value.endsWith('%') ? (value as BatchSize) : Number(value);
}

/** Also of a role. */
export const batch = z
  .union([batchSize, z.array(batchSize, { error: BATCH }).min(1, { error: BATCH })], { error: BATCH })
  .meta({
    description:
      'Droplets out of rotation at a time, or changed at a time without a balancer: a number, a percentage or `all`. A list sets the sizes of successive batches; its last entry repeats.',
    default: DEFAULTS.batch,
    examples: [1, '25%', 'all', [1, 5, '20%']],
  })
  .transform((value): BatchSize[] => (Array.isArray(value) ? value : [value]).map(toBatchSize));

export const minInRotation = wholeNumber(1, 1000, 'must be a whole number from 1', {
  description:
    'Capacity floor: healthy droplets that must stay in rotation at any moment, or without a balancer keep running. By default all but one batch, at least 1.',
  examples: [2],
});

const section = map({
  batch,
  min_in_rotation: minInRotation,
  drain: map({
    timeout: duration({
      description: 'Longest wait for open connections before a droplet is switched.',
      default: DEFAULTS.drain.timeout,
      examples: ['30s', '5m'],
    }),
  }),
  health: map({
    timeout: duration({
      description: 'Longest wait for the containers to become healthy.',
      default: DEFAULTS.health.timeout,
      examples: ['2m', '10m'],
    }).refine((ms) => ms >= 1000, { error: 'must be at least 1s' }),
    http: map({
      port: wholeNumber(1, 65_535, 'must be a port, a number from 1 to 65535', {
        description: 'Port on the droplet, asked at 127.0.0.1. By default 80.',
        examples: [8080],
      }),
      path: text('must be a path that begins with /', /^\/[\x21-\x7e]*$/).meta({
        description: 'What is requested. By default `/`.',
        examples: ['/healthz'],
      }),
      interval: duration({
        description: 'Pause before a request that failed is repeated. By default 2s.',
        examples: ['2s'],
      }).refine((ms) => ms >= 100, { error: 'must be at least 100ms' }),
      timeout: duration({
        description: 'Longest wait for an answer. By default 5s.',
        examples: ['5s'],
      }).refine((ms) => ms >= 100, { error: 'must be at least 100ms' }),
    }).meta({
      description:
        "Request that the app must answer with 200-299, made on the droplet once its containers are healthy, within `rollout.health.timeout`. Behind a balancer it is made in addition to the balancer's own check.",
      examples: [{ port: 8080, path: '/healthz' }],
    }),
  }),
  on_failure: z
    .enum(['revert-droplet', 'revert-fleet', 'stop'], { error: 'must be revert-droplet, revert-fleet or stop' })
    .meta({
      description:
        'When a droplet fails: `revert-droplet` returns it to its previous release and stops the rollout, `revert-fleet` also returns the droplets that are done, `stop` leaves it out of rotation.',
      default: DEFAULTS.on_failure,
      examples: ['revert-droplet', 'revert-fleet', 'stop'],
    }),
  pause: duration({
    description:
      'Time between two batches, in which what has got the release is watched. See [rollout.md](rollout.md#pause-and-bake).',
    examples: ['2m'],
  }),
  bake: duration({
    description: 'Time after the last batch, watched likewise, before the rollout counts as done.',
    examples: ['10m'],
  }),
  interrupt_grace: duration({
    description: 'After Ctrl-C or a cancelled CI job: longest time to bring the droplets that are out to a safe end.',
    default: DEFAULTS.interrupt_grace,
    examples: ['60s'],
  }),
  gates,
  probe,
}).meta({ description: 'How a rollout proceeds.' });

export const rollout = defineSection({
  keys: { rollout: section },
  literal: [['rollout', 'gates', '*', 'command']],
  resolve: (written, context) => ({ rollout: resolveRollout(written.rollout ?? {}, context) }),
});

function resolveRollout(written: z.output<typeof section>, context: SectionContext): RolloutSettings {
  return {
    batch: written.batch ?? [DEFAULTS.batch],
    minInRotation: written.min_in_rotation,
    drainTimeoutMs: written.drain?.timeout ?? defaultMs(DEFAULTS.drain.timeout),
    healthTimeoutMs: written.health?.timeout ?? defaultMs(DEFAULTS.health.timeout),
    healthHttp: resolveHttp(written.health?.http),
    onFailure: written.on_failure ?? DEFAULTS.on_failure,
    interruptGraceMs: written.interrupt_grace ?? defaultMs(DEFAULTS.interrupt_grace),
    pauseMs: written.pause,
    bakeMs: written.bake,
    gates: written.gates && resolveGates(written.gates, context),
    probe: resolveProbe(written.probe),
  };
}

type WrittenHttp = NonNullable<z.output<typeof section>['health']>['http'];

function resolveHttp(http: WrittenHttp): HttpCheckSettings | undefined {
  if (http === undefined) return undefined;
  const defaults = DEFAULTS.health.http;
  return {
    port: http.port ?? defaults.port,
    path: http.path ?? defaults.path,
    intervalMs: http.interval ?? defaultMs(defaults.interval),
    timeoutMs: http.timeout ?? defaultMs(defaults.timeout),
  };
}

function defaultMs(text: string): number {
  return parseDuration(text) ?? 0;
}
