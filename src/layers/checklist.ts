/** Things that a user confirms before a deploy, at a prompt or by --confirm. */
import { z } from 'zod';
import { DeployError, type DeployErrorOptions } from '../errors.js';
import type { LifecycleEvent, LifecyclePayload } from '../rollout/lifecycle.js';
import { ROLLING_COMMANDS } from '../rollout/model.js';
import { defineLayer, type LayerContext } from './layer.js';
import { words } from './settings.js';

/** As long as a user may take for the answers at one event. */
const TIMEOUT_MS = 15 * 60_000;

const EVENTS = ['configure', 'pre_deploy', 'deploy', 'post_deploy'] as const satisfies LifecycleEvent[];

const NAME = 'must be a name of letters a-z, digits and . _ -';
const ITEMS = 'must be a list of items, each with name and ask';

const item = z.strictObject(
  {
    name: z.string({ error: NAME }).regex(/^[a-z0-9][\w.-]{0,63}$/i, { error: NAME }),
    ask: words(500),
    on: z.enum(EVENTS, { error: `must be one of ${EVENTS.join(', ')}` }).default('pre_deploy'),
    commands: z
      .array(z.enum(ROLLING_COMMANDS, { error: `must be one of ${ROLLING_COMMANDS.join(', ')}` }), {
        error: `must be a list of ${ROLLING_COMMANDS.join(', ')}`,
      })
      .default(['deploy']),
  },
  { error: ITEMS },
);

const config = z
  .array(item, { error: ITEMS })
  .max(50, { error: 'must have at most 50 items' })
  .refine((items) => new Set(items.map(({ name }) => name)).size === items.length, {
    error: 'must have items with different names',
  });

type Item = z.output<typeof item>;

export default defineLayer({
  name: 'checklist',
  kind: 'third-party',
  config,
  timeoutMs: TIMEOUT_MS,
  // What other layers do at the same event waits for the answers.
  priority: 10,
  confirms: (items) => items.map(({ name, on, commands }) => ({ name, on, commands })),
  on: { configure: check, pre_deploy: check, deploy: check, post_deploy: check },
});

async function check({ event, command }: LifecyclePayload, context: LayerContext<Item[]>): Promise<void> {
  const missing: Item[] = [];
  for (const one of context.config) {
    if (one.on !== event || !one.commands.includes(command)) continue;
    const answer = await context.confirm(one.name, one.ask);
    if (answer === false) throw new DeployError('not-confirmed', ...about([one]));
    if (answer === true) context.logger.info(`${one.name} is confirmed`);
    else missing.push(one);
  }
  // No user could be asked: it is the command line that lacks something.
  if (missing.length > 0) throw new DeployError('layer-failed', ...about(missing));
}

function about(items: readonly Item[]): [message: string, options: DeployErrorOptions] {
  const [first] = items;
  const names = items.map(({ name }) => name);
  const message =
    items.length === 1 ? `${first?.name} is not confirmed (${first?.ask})` : `${names.join(', ')} are not confirmed`;
  const options = names.map((name) => `--confirm ${name}`).join(' ');
  return [message, { source: 'user', hint: `Run again with: ${options}` }];
}
