/**
 * Would the simulation notice? Faults are planted into the planner, the orchestrator and the steps, one at a time, and
 * each must break a promise in some story, which breaks none without it (simulation.long.test.ts). A fault whose text is
 * no longer in the source fails, too.
 *
 * When a fault is no longer noticed, because the product or the generator has changed, look for other stories that show
 * it: npm run simulate -- --fault NAME
 */
import { afterAll, expect, it } from 'vitest';
import { MUTATIONS, type Mutation, storiesOf } from './mutations.js';
import { type Player, playerOf, removeCopies } from './transpiled.js';

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

it.each(MUTATIONS)('a fault is noticed: $name', async (mutation) => {
  const { runScenario } = await withFault(mutation);
  for (const story of storiesOf(mutation)) {
    const { violations } = await runScenario(story);
    if (violations.some(({ rule }) => mutation.breaks.includes(rule))) return;
  }
  expect.unreachable(`nothing noticed; find stories: npm run simulate -- --fault "${mutation.name}"`);
});
