/** Layers of the story's project: their handlers take their time, throw, or never end. */
import { type Handler, LIFECYCLE_EVENTS, type LifecycleEvent, onlyWarns } from '../../src/rollout/lifecycle.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { type Deployer, never } from './deployer.js';
import { random, upTo } from './random.js';
import type { World } from './world.js';

/** The chance that a handler fails, in percent. */
const FAILS = 12;

const TIMEOUT_MS = 10_000;

/** How long a handler takes at most, in ms: before a droplet leaves, so long that the fleet may be another one by then. */
const USUAL_MS = 2_000;
const SLOW_MS = 9_000;

const SLOW: ReadonlySet<LifecycleEvent> = new Set(['deploy', 'before_leave']);

/** A random sequence of their own: stories without layers stay as they are. */
export function layersOf(deployer: Deployer): Handler[] {
  const { world } = deployer;
  if (!world.story.layers) return [];
  const hasWorkers = world.story.app === 'full';
  const chance = random(world.story.seed + 104_729 * world.deployers.length);
  const own = LIFECYCLE_EVENTS.map(
    (event): Handler => ({
      name: 'layer story',
      event,
      priority: 50,
      timeoutMs: TIMEOUT_MS,
      handle: async ({ droplet, command, release }, { signal, process }) => {
        deployer.raised.push(event);
        world.monitor.tally(`event: ${event}`);
        if (world.trace) world.note(`${deployer.name}   ${event} ${droplet ?? ''}`);
        if (event === 'before_leave' && !KEEPS.has(command)) world.postDeployed = undefined;
        if (hasWorkers && event === 'before_leave') await process('worker', { stop: { graceMs: 5_000 } });
        await deployer.clock.sleep(upTo(chance, SLOW.has(event) ? SLOW_MS : USUAL_MS), signal);
        if (hasWorkers && event === 'after_rejoin') await process('worker', 'start');
        const roll = upTo(chance, 99);
        if (roll >= FAILS) {
          if (event === 'post_deploy' && !KEEPS.has(command) && !signal.aborted) world.postDeployed = release.id;
          return;
        }
        world.monitor.tally(`layer fails: ${event}`);
        deployer.layerFailed = true;
        if (!onlyWarns(event)) deployer.failedBeforeEnd = true;
        if (roll % 2 === 0) throw new Error(`the story fails at ${event}`);
        await never();
      },
    }),
  );
  return world.story.migrates ? [migrating(deployer), ...own] : own;
}

/** Mostly long enough, and the wait for it may be too short. */
const MIGRATION_TIMEOUT_MS = 40_000;

/** Like the layer migrate. */
function migrating(deployer: Deployer): Handler {
  const fails = () => {
    deployer.layerFailed = true;
    deployer.failedBeforeEnd = true;
  };
  return {
    name: 'layer migrate',
    event: 'deploy',
    priority: 40,
    timeoutMs: MIGRATION_TIMEOUT_MS,
    handle: async ({ command }, { run, signal }) => {
      if (command !== 'deploy') return;
      signal.addEventListener('abort', fails, { once: true });
      try {
        const { code } = await run('app', ['migrate'], { once: 'migrate', signal });
        if (code !== 0) throw new Error(`ended with exit code ${code}`);
      } catch (error) {
        fails();
        throw error;
      } finally {
        signal.removeEventListener('abort', fails);
      }
    },
  };
}

/** They bring no release, and owe nothing to one. */
const KEEPS = new Set<string>(['heal', 'restart', 'stop', 'start', 'droplet out']);

const ORDER: readonly LifecycleEvent[] = ['configure', 'pre_deploy', 'deploy', 'post_deploy'];

/** Exactly one ending, which says what the result says, after the others in their order. */
export function judgeEvents(
  world: World,
  { raised, name, plan, failedBeforeEnd }: Deployer,
  result: DeployResult,
): void {
  if (raised.length === 0) return;
  const { monitor } = world;
  const endings = raised.filter((event) => event.startsWith('deploy_'));
  const good = result.outcome === 'succeeded' || result.outcome === 'skipped';
  const expected = good ? `deploy_${result.outcome}` : 'deploy_failed';
  if (endings.length !== 1 || raised.at(-1) !== expected) {
    monitor.violation(
      'l',
      `${name} ends as ${result.outcome}, and its events end with ${endings.join(', ') || 'none'}`,
    );
  }
  if (good && failedBeforeEnd) monitor.violation('l', `${name} ends as ${result.outcome}, though a handler failed`);
  const once = raised.filter((event) => ORDER.includes(event));
  const rolled = raised.includes('before_leave');
  // A run with nothing to roll raises post_deploy alone, when the run before it did not finish it.
  const order = rolled || once.includes('deploy') ? ORDER : ORDER.filter((event) => event !== 'deploy');
  if (once.some((event, index) => event !== order[index])) monitor.violation('l', `${name} raises ${once.join(', ')}`);
  if (!rolled && once.includes('post_deploy')) monitor.tally('post_deploy: made up for');
  if (
    result.outcome === 'skipped' &&
    result.release.id !== '' &&
    !KEEPS.has(plan.command) &&
    world.postDeployed !== result.release.id
  ) {
    monitor.violation('l', `${name} skips ${result.release.id}, whose post_deploy was not finished`);
  }
  const per = (event: LifecycleEvent) => raised.filter((one) => one === event).length;
  if (per('after_rejoin') > per('before_leave'))
    monitor.violation('l', `${name} raises more after_rejoin than before_leave`);
}
