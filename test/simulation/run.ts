/** Plays a story to its end: the runs with all that befalls them, then one that must bring the fleet back. */

import type { RoleSettings, TargetSettings } from '../../src/config/settings.js';
import type { DeployPorts } from '../../src/deploy/core/deploy-ports.js';
import { adopt } from '../../src/deploy/rollouts/adopt.js';
import { deploy } from '../../src/deploy/rollouts/deploy.js';
import { bringBack, takeOut } from '../../src/deploy/rollouts/droplet-out-and-in.js';
import { abort, promote } from '../../src/deploy/rollouts/end-canary.js';
import { heal } from '../../src/deploy/rollouts/heal.js';
import { restart, start, stop } from '../../src/deploy/rollouts/restart.js';
import { rollback } from '../../src/deploy/rollouts/rollback.js';
import type { SessionOptions } from '../../src/deploy/session/session.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { Deployer } from './deployer.js';
import { judgeEnd, replacedIn } from './ends.js';
import { gateCommands, gateSettings, LEADING, probeSettings, siteOf } from './gates.js';
import { calm, schedule } from './happenings.js';
import { layersOf } from './layers.js';
import type { Violation } from './monitor.js';
import { localFiles, settingsFor } from './project.js';
import { judgeRecovery, recoveryFor } from './recovery.js';
import { CURE, type RunPlan, type Scenario } from './scenario.js';
import { SimCloud } from './sim-cloud.js';
import { SimShell } from './sim-shell.js';
import { scenarioOf } from './stories.js';
import { BY_HAND, WORKERS, World } from './world.js';

export interface Report {
  story: Scenario;
  violations: Violation[];
  happened: Map<string, number>;
  /** Runs of do-deploy in it. */
  rollouts: number;
  /** What the run that brings the fleet back came to. */
  recovery?: DeployResult;
  /** Only with `trace`: what was said and done, in order. */
  trace: string[];
}

/** No run may take longer than this, in ms of the world. */
const HOUR = 3_600_000;

export async function runScenario(story: Scenario, options: { trace?: boolean } = {}): Promise<Report> {
  const world = new World(story);
  const trace: string[] = [];
  if (options.trace) world.trace = trace;
  const { clock, monitor } = world;
  schedule(world);
  const finish = (rollouts: number, recovery?: DeployResult): Report => ({
    story,
    violations: monitor.violations,
    happened: monitor.happened,
    rollouts,
    ...(recovery && { recovery }),
    trace,
  });
  try {
    await clock.run(Promise.all(story.runs.filter((plan) => !plan.later).map((plan) => play(world, plan))));
    for (const plan of story.runs.filter((one) => one.later)) await clock.run(play(world, plan));
    if (monitor.violations.length > 0) return finish(world.deployers.length);

    // Everything that was on its way has come; whoever is dead has been silent for long.
    await clock.advance(180_000);
    world.catchUp();
    calm(world);
    const plan = recoveryFor(world);
    const recovery = await clock.run(play(world, plan.run, { allowDowntime: plan.allowDowntime }));
    await clock.advance(30_000);
    world.catchUp();
    judgeRecovery(world, plan, recovery);
    await bringAllBack(world);
    return finish(world.deployers.length, recovery);
  } catch (error) {
    monitor.violation('g', error instanceof Error ? (error.stack ?? error.message) : String(error));
    return finish(world.deployers.length);
  }
}

/** What was taken out by hand is still out after all that, and comes back when it is asked for. */
async function bringAllBack(world: World): Promise<void> {
  for (const droplet of [...world.droplets.values()].filter((one) => world.isByHand(one) && !one.disturbed)) {
    const { clock, monitor } = world;
    monitor.tally('by hand: brought back');
    const run = (command: RunPlan['command'], tag: string) =>
      clock.run(play(world, { ...CALM_RUN, command, tag }, { allowDowntime: true }));
    let end = await run('droplet in', droplet.name);
    // Like adopt: of two releases it does not know which one to bring it to.
    if (end?.error?.code === 'release-disputed') {
      await run('deploy', CURE);
      end = await run('droplet in', droplet.name);
    }
    await clock.advance(180_000);
    world.catchUp();
    const isBack = world.isMember(droplet) && !droplet.tags.has(world.ledgerTag(droplet));
    const marks = [...droplet.tags].filter((tag) => tag.startsWith(BY_HAND));
    if (end?.outcome !== 'succeeded' || !isBack || marks.length > 0) {
      const how = `${end?.outcome} ${end?.error?.code ?? ''}`;
      monitor.violation('q', `${droplet.name} is not brought back (${how}): ${isBack}, ${marks.join(' ')}`);
    }
  }
}

/** The story of a seed, played. A seed that failed fails again, in the same way. */
export function runSeed(seed: number, options: { trace?: boolean } = {}): Promise<Report> {
  return runScenario(scenarioOf(seed), options);
}

const CALM_RUN = { force: false, startMs: 0, later: true, waitLockMs: 0, chaos: 0, faults: [] };

const REASON = 'the disk is failing: ticket #42';

const COMMANDS: Record<
  RunPlan['command'],
  (ports: DeployPorts, options: SessionOptions, plan: RunPlan) => Promise<DeployResult>
> = {
  heal,
  adopt,
  promote,
  abort,
  'droplet out': (ports, options, { tag }) => takeOut(ports, { ...options, droplet: tag, reason: REASON }),
  'droplet in': (ports, options, { tag }) => bringBack(ports, { ...options, droplet: tag }),
  restart: (ports, options, { tag }) => restart(ports, { ...options, ...(tag !== '' && { service: tag }) }),
  stop: (ports, options, { tag }) => stop(ports, { ...options, service: tag }),
  start: (ports, options, { tag }) => start(ports, { ...options, service: tag }),
  rollback: (ports, options, { tag }) => rollback(ports, { ...options, ...(tag !== '' && { wanted: tag }) }),
  deploy: (ports, options, { tag, force, canary }) =>
    deploy(ports, {
      ...options,
      imageTag: tag,
      releaseRef: tag,
      force,
      ...(canary !== undefined && { part: { canary } }),
    }),
};

export function targetOf({ story, balancer, listed }: World): TargetSettings {
  if (balancer !== undefined) return { kind: 'load_balancer', ref: balancer.name };
  if (story.target === 'tagged') return { kind: 'tag', tag: WORKERS };
  if (story.target === 'listed') return { kind: 'droplets', droplets: [...listed] };
  return { kind: 'droplet', id: 1_001 };
}

export function rolesOf(world: World): RoleSettings[] | undefined {
  if (world.story.target !== 'roles') return undefined;
  return [
    { name: 'web', target: targetOf(world) },
    { name: 'worker', target: { kind: 'tag', tag: WORKERS } },
  ];
}

/** Plays one run to its end; undefined when it dies. */
export async function play(
  world: World,
  plan: RunPlan,
  force: { allowDowntime?: boolean; keepReleases?: number } = {},
): Promise<DeployResult | undefined> {
  const { clock, monitor, story } = world;
  if (plan.startMs > 0) await clock.sleep(plan.startMs);
  const deployer = new Deployer(world, plan);
  const { allowDowntime: told, pauseMs = 0, bakeMs = 0, ...rollout } = story.policy;
  deployer.allowDowntime = force.allowDowntime ?? told;
  // The run that brings the fleet back need not wait.
  const rests = force.allowDowntime === undefined ? { pauseMs, bakeMs } : { pauseMs: 0, bakeMs: 0 };
  if (plan.command === 'deploy' || plan.command === 'adopt') deployer.rests = rests;
  const http = { port: 80, path: '/', intervalMs: 2_000, timeoutMs: 5_000 };
  const usual = settingsFor(
    targetOf(world),
    { ...rollout, ...rests, ...(story.http && { healthHttp: http }) },
    rolesOf(world),
  );
  // The one that brings the fleet back must not fail by chance.
  const gates = story.gate === undefined || force.allowDowntime !== undefined ? [] : [gateSettings(story.gate)];
  if (gates.length > 0 && LEADING.has(plan.command)) deployer.knowledge.control.expectYes();
  const isProbed = story.probe !== undefined && force.allowDowntime === undefined;
  const probe = isProbed && story.probe !== undefined ? probeSettings(story.probe) : (false as const);
  const settings = {
    ...usual,
    rollout: { ...usual.rollout, gates, probe },
    keepReleases: force.keepReleases ?? usual.keepReleases,
  };
  const ports = {
    cloud: new SimCloud(deployer),
    shell: new SimShell(deployer),
    clock: deployer.clock,
    files: localFiles,
    commands: gateCommands(deployer),
    web: siteOf(deployer),
    reporter: {
      report: (event: Parameters<typeof monitor.reported>[1]) => {
        world.catchUp();
        if (world.trace) world.note(`${deployer.name} ${JSON.stringify(event)}`);
        monitor.reported(deployer, event);
      },
    },
  };
  const options = {
    settings,
    allowDowntime: deployer.allowDowntime,
    deployer: { who: `${deployer.name}@ci`, url: 'https://ci.example.com/1' },
    waitLockMs: plan.waitLockMs,
    interrupted: deployer.interrupted.signal,
    aborted: deployer.aborted.signal,
    // The run that brings the fleet back must not fail by chance.
    handlers: force.allowDowntime === undefined ? layersOf(deployer) : [],
  };
  const replaced = plan.command === 'rollback' && plan.tag === '' && plan.later ? replacedIn(world) : undefined;
  const run = COMMANDS[plan.command](ports, options, plan);
  // Two hours, and half an hour a droplet: a bound that only an endless wait passes.
  const bound = clock.sleep(
    2 * HOUR + (plan.waitLockMs > 0 ? HOUR * world.deployers.length * 2 : 0) + (world.droplets.size * HOUR) / 2,
  );
  const ended = await Promise.race([run, deployer.died, bound.then(() => 'too long' as const)]);
  world.catchUp();
  if (ended === undefined) {
    monitor.tally('end: crashed');
    return undefined;
  }
  deployer.exit();
  if (ended === 'too long') {
    monitor.violation('g', `${deployer.name} does not come to an end`);
    return undefined;
  }
  judgeEnd(world, deployer, ended);
  if (replaced !== undefined && ended.outcome === 'succeeded' && ended.release.id !== replaced)
    monitor.violation('d', `${deployer.name} goes back to ${ended.release.id}, and ${replaced} was being replaced`);
  return ended;
}
