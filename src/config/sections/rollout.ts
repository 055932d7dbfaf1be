import { z } from 'zod';
import { parseDuration } from '../duration.js';
import { defineSection, type SectionContext } from '../section.js';
import type { BatchSize, RolloutSettings } from '../settings.js';
import { duration, map, text, wholeNumber } from '../values.js';
import { gates, resolveGates } from './gates.js';
import { probe, resolveProbe } from './probe.js';

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

const section = map({
  batch: z
    .union([batchSize, z.array(batchSize, { error: BATCH }).min(1, { error: BATCH })], { error: BATCH })
    .meta({
      description:
        'Droplets out of rotation at a time: a number, a percentage or `all`. A list sets the sizes of successive batches; its last entry repeats.',
      default: DEFAULTS.batch,
      examples: [1, '25%', 'all', [1, 5, '20%']],
    })
    .transform((value): BatchSize[] => (Array.isArray(value) ? value : [value]).map(toBatchSize)),
  min_in_rotation: wholeNumber(1, 1000, 'must be a whole number from 1', {
    description:
      'Capacity floor: healthy droplets that must stay in rotation at any moment. By default all but one batch, at least 1.',
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
  const defaultMs = (text: string) => parseDuration(text) ?? 0;
  return {
    batch: written.batch ?? [DEFAULTS.batch],
    minInRotation: written.min_in_rotation,
    drainTimeoutMs: written.drain?.timeout ?? defaultMs(DEFAULTS.drain.timeout),
    healthTimeoutMs: written.health?.timeout ?? defaultMs(DEFAULTS.health.timeout),
    onFailure: written.on_failure ?? DEFAULTS.on_failure,
    interruptGraceMs: written.interrupt_grace ?? defaultMs(DEFAULTS.interrupt_grace),
    pauseMs: written.pause,
    bakeMs: written.bake,
    gates: written.gates && resolveGates(written.gates, context),
    probe: resolveProbe(written.probe),
  };
}
