/**
 * Would the simulation notice? Faults are planted into the planner, the orchestrator and the steps, one at a time, and
 * each must break a promise in some story. A fault whose text is no longer in the source fails, too.
 *
 * When a fault is no longer noticed, because the product or the generator has changed, look for other stories that show
 * it: npm run simulate -- --fault NAME
 */
import { afterAll, expect, it } from 'vitest';
import { tell } from './calm.js';
import { MUTATIONS, type Mutation } from './mutations.js';
import type { Scenario } from './scenario.js';
import { scenarioOf } from './stories.js';
import { type Player, playerOf, removeCopies } from './transpiled.js';

afterAll(removeCopies);

function storiesOf({ seeds, stories = [] }: Mutation): Scenario[] {
  return [...seeds.map(scenarioOf), ...stories.map(tell)];
}

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

it('without a fault the same stories break nothing', async () => {
  const { runScenario } = await playerOf('no-mutation');
  for (const mutation of MUTATIONS) {
    for (const story of storiesOf(mutation)) {
      const { violations } = await runScenario(story);
      expect(violations, mutation.name).toEqual([]);
    }
  }
});
