import { z } from 'zod';
import { parseDuration } from '../duration.js';
import { defineSection } from '../section.js';
import type { BatchSize, RolloutSettings } from '../settings.js';
import { duration, map, text, wholeNumber } from '../values.js';

const DEFAULTS = {
  batch: 1,
  drain: { timeout: '30s' },
  health: { timeout: '2m' },
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

const PROBE = 'must be an address that begins with http:// or https://, without a user name';

function isPublicAddress(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && url.username === '' && url.password === '';
}

const section = map({
  batch: z
    .union([batchSize, z.array(batchSize, { error: BATCH }).min(1, { error: BATCH })], { error: BATCH })
    .meta({
      description:
        'Droplets out of rotation at a time, or changed at a time without a balancer: a number, a percentage or `all`. A list sets the sizes of successive batches; its last entry repeats.',
      default: DEFAULTS.batch,
      examples: [1, '25%', 'all', [1, 5, '20%']],
    })
    .transform((value): BatchSize[] => (Array.isArray(value) ? value : [value]).map(toBatchSize)),
  min_in_rotation: wholeNumber(1, 1000, 'must be a whole number from 1', {
    description:
      'Capacity floor: healthy droplets that must stay in rotation at any moment, or without a balancer keep running. By default all but one batch, at least 1.',
    examples: [2],
  }),
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
  }),
  on_failure: z
    .enum(['revert-droplet', 'revert-fleet', 'stop'], { error: 'must be revert-droplet, revert-fleet or stop' })
    .meta({
      description:
        'When a droplet fails: `revert-droplet` returns it to its previous release and stops the rollout, `revert-fleet` also returns the droplets that are done, `stop` leaves it out of rotation.',
      default: DEFAULTS.on_failure,
      examples: ['revert-droplet', 'revert-fleet', 'stop'],
    }),
  interrupt_grace: duration({
    description: 'After Ctrl-C or a cancelled CI job: longest time to bring the droplets that are out to a safe end.',
    default: DEFAULTS.interrupt_grace,
    examples: ['60s'],
  }),
  probe: text(PROBE, /^https?:\/\/\S+$/)
    .meta({
      description:
        'Address of your site, requested once a second during a rollout. The number of failed requests is printed at the end and kept in the history.',
      examples: ['https://shop.example.com/healthz'],
    })
    .refine(isPublicAddress, { error: PROBE }),
}).meta({ description: 'How a rollout proceeds.' });

export const rollout = defineSection({
  keys: { rollout: section },
  resolve: (written) => ({ rollout: resolveRollout(written.rollout ?? {}) }),
});

function resolveRollout(written: z.output<typeof section>): RolloutSettings {
  const defaultMs = (text: string) => parseDuration(text) ?? 0;
  return {
    batch: written.batch ?? [DEFAULTS.batch],
    minInRotation: written.min_in_rotation,
    drainTimeoutMs: written.drain?.timeout ?? defaultMs(DEFAULTS.drain.timeout),
    healthTimeoutMs: written.health?.timeout ?? defaultMs(DEFAULTS.health.timeout),
    onFailure: written.on_failure ?? DEFAULTS.on_failure,
    interruptGraceMs: written.interrupt_grace ?? defaultMs(DEFAULTS.interrupt_grace),
    probeUrl: written.probe,
  };
}
