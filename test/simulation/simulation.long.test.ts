/** More of the stories that simulation.test.ts begins with, and those of the planted faults without their fault. */
import { afterAll, expect, it } from 'vitest';
import { LIFECYCLE_EVENTS } from '../../src/rollout/lifecycle.js';
import { MUTATIONS, storiesOf } from './mutations.js';
import { FIRST_SEED, playStories, seedsFrom } from './play-stories.js';
import {
  CONTROLLED,
  FIRST_ALONE,
  FIRST_CONTROLLED,
  FIRST_LAYERED,
  FIRST_ROLES,
  isControlled,
  LAYERED,
} from './stories.js';
import { playerOf, removeCopies } from './transpiled.js';

const FIRST = FIRST_SEED + 120;
const STORIES = 300;

afterAll(removeCopies);

it('600 more rollouts keep every promise', { timeout: 900_000 }, async () => {
  const { runSeed } = await playerOf('long');
  const { rollouts } = await playStories(runSeed, seedsFrom(FIRST, STORIES));
  expect(rollouts).toBeGreaterThanOrEqual(600);
});

it('900 rollouts with layers keep every promise, whatever their handlers do', { timeout: 600_000 }, async () => {
  const { runSeed } = await playerOf('layered');
  const layered = seedsFrom(FIRST_LAYERED + LAYERED * 20, LAYERED * 400).filter((seed) => seed % LAYERED === 1);
  const { rollouts, happened } = await playStories(runSeed, layered);
  expect(rollouts).toBeGreaterThanOrEqual(900);
  const failing = LIFECYCLE_EVENTS.filter((event) => event !== 'deploy_skipped');
  expect(failing.filter((event) => !happened.has(`layer fails: ${event}`))).toEqual([]);
});

it('600 rollouts that pause and bake keep every promise', { timeout: 600_000 }, async () => {
  const { runSeed } = await playerOf('controlled');
  const controlled = seedsFrom(FIRST_CONTROLLED + CONTROLLED * 40, CONTROLLED * 260).filter(isControlled);
  const { rollouts } = await playStories(runSeed, controlled);
  expect(rollouts).toBeGreaterThanOrEqual(600);
});

it('900 rollouts of fleets without a balancer keep every promise', { timeout: 600_000 }, async () => {
  const { runSeed } = await playerOf('alone');
  const { rollouts } = await playStories(runSeed, seedsFrom(FIRST_ALONE + 60, 400));
  expect(rollouts).toBeGreaterThanOrEqual(900);
});

it('700 rollouts of fleets with roles keep every promise', { timeout: 600_000 }, async () => {
  const { runSeed } = await playerOf('roles');
  const { rollouts, happened } = await playStories(runSeed, seedsFrom(FIRST_ROLES + 60, 330));
  expect(rollouts).toBeGreaterThanOrEqual(700);
  for (const what of ['roles: the second', 'revert-fleet: condemned', 'recovery: heal']) {
    expect(happened.get(what), what).toBeGreaterThan(0);
  }
});

it('without a fault, the stories that show the planted faults break nothing', { timeout: 600_000 }, async () => {
  const { runScenario } = await playerOf('no-mutation');
  for (const mutation of MUTATIONS) {
    for (const story of storiesOf(mutation)) {
      const { violations } = await runScenario(story);
      expect(violations, mutation.name).toEqual([]);
    }
  }
});
