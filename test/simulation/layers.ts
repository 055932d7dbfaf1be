/** Layers of the story's project: their handlers take their time, throw, or never end. */
import { type Handler, LIFECYCLE_EVENTS, type LifecycleEvent } from '../../src/rollout/lifecycle.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { type Deployer, never } from './deployer.js';
import { random, upTo } from './random.js';
import type { World } from './world.js';

/** The chance that a handler fails, in percent. */
const FAILS = 12;

const TIMEOUT_MS = 5_000;

/** A random sequence of their own: stories without layers stay as they are. */
export function layersOf(deployer: Deployer): Handler[] {
  const { world } = deployer;
  if (!world.story.layers) return [];
  const chance = random(world.story.seed + 104_729 * world.deployers.length);
  return LIFECYCLE_EVENTS.map(
    (event): Handler => ({
      name: 'layer story',
      event,
      priority: 50,
      timeoutMs: TIMEOUT_MS,
      handle: async ({ droplet }, { signal }) => {
        deployer.raised.push(event);
        world.monitor.tally(`event: ${event}`);
        if (world.trace) world.note(`${deployer.name}   ${event} ${droplet ?? ''}`);
        await deployer.clock.sleep(upTo(chance, 2_000), signal);
        const roll = upTo(chance, 99);
        if (roll >= FAILS) return;
        world.monitor.tally(`layer fails: ${event}`);
        deployer.layerFailed = true;
        if (roll % 2 === 0) throw new Error(`the story fails at ${event}`);
        await never;
      },
    }),
  );
}

const ORDER: readonly LifecycleEvent[] = ['configure', 'pre_deploy', 'deploy', 'post_deploy'];

/** Exactly one ending, which says what the result says, after the others in their order. */
export function judgeEvents({ monitor }: World, { raised, name }: Deployer, result: DeployResult): void {
  if (raised.length === 0) return;
  const endings = raised.filter((event) => event.startsWith('deploy_'));
  const good = result.outcome === 'succeeded' || result.outcome === 'skipped';
  const expected = good ? `deploy_${result.outcome}` : 'deploy_failed';
  if (endings.length !== 1 || raised.at(-1) !== expected) {
    monitor.violation(
      'l',
      `${name} ends as ${result.outcome}, and its events end with ${endings.join(', ') || 'none'}`,
    );
  }
  const once = raised.filter((event) => ORDER.includes(event));
  if (once.some((event, index) => event !== ORDER[index])) monitor.violation('l', `${name} raises ${once.join(', ')}`);
  const per = (event: LifecycleEvent) => raised.filter((one) => one === event).length;
  if (per('after_rejoin') > per('before_leave'))
    monitor.violation('l', `${name} raises more after_rejoin than before_leave`);
}
