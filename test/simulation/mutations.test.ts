/**
 * Would the simulation notice? Faults are planted into the planner, the orchestrator and the steps, one at a time, and
 * each must break a promise in some story. A fault whose text is no longer in the source fails, too.
 */
import { afterAll, expect, it } from 'vitest';
import { MUTATIONS, type Mutation } from './mutations.js';
import { scenarioOf } from './scenario.js';
import { type Player, playerOf, removeCopies } from './transpiled.js';

/** Stories that a fault may pass unnoticed, where those that are named with it no longer show it, */
const STORIES = 300;
/** of small fleets: they are the quick ones. */
const FLEET = 6;

afterAll(removeCopies);

async function withFault({ name, file, text, instead }: Mutation): Promise<Player> {
  let planted = false;
  const player = await playerOf(`mutation-${name.replaceAll(/\W+/g, '-')}`, (path, source) => {
    if (path !== file) return source;
    planted = source.split(text).length === 2;
    return source.replace(text, () => instead);
  });
  expect(planted, `${file} no longer has, once: ${text}`).toBe(true);
  return player;
}

it.each(MUTATIONS)('a fault is noticed: $name', { timeout: 600_000 }, async (mutation) => {
  const { runScenario } = await withFault(mutation);
  // Stories in which it has shown come first; when the product or the generator changes, others are found.
  const others = Array.from({ length: STORIES }, (_, index) => index + 1);
  for (const seed of [...mutation.seeds, ...others]) {
    const story = scenarioOf(seed);
    if (story.fleet > FLEET && !mutation.seeds.includes(seed)) continue;
    const { violations } = await runScenario(story);
    const noticed = violations.filter(({ rule }) => mutation.breaks.includes(rule));
    if (noticed.length > 0) return;
  }
  expect.unreachable(`${mutation.name}: nothing noticed in ${STORIES} stories`);
});
