/** `do-deploy plan` on a simulated fleet, with everything that it asked of DigitalOcean and of the droplets. */
import type { Settings } from '../../src/config/settings.js';
import type { DeployPorts } from '../../src/deploy/core/deploy-ports.js';
import type { PlanOptions } from '../../src/deploy/plan/plan-options.js';
import { planRollout } from '../../src/deploy/plan/plan-rollout.js';
import type { Cloud, Connection, RemoteCommand, RemoteShell } from '../../src/ports.js';
import type { RolloutPlan } from '../../src/rollout/plan.js';
import { Deployer } from './deployer.js';
import { localFiles, settingsFor } from './project.js';
import { rolesOf, targetOf } from './run.js';
import { SimCloud } from './sim-cloud.js';
import { SimShell } from './sim-shell.js';
import type { World } from './world.js';

export interface Planned {
  plan: RolloutPlan;
  /** Names of the calls of the Cloud port. */
  calls: string[];
  commands: RemoteCommand[];
  /** What was done on droplets besides commands: uploads and held processes. */
  others: string[];
}

/** What a command that only reads gets of the world. */
export async function lookAt<T>(
  world: World,
  look: (ports: DeployPorts, settings: Settings) => Promise<T>,
): Promise<T> {
  const deployer = new Deployer(world, { ...PLAN, chaos: 0, faults: [] });
  const { allowDowntime: _, ...rollout } = world.story.policy;
  const ports = {
    cloud: new SimCloud(deployer),
    shell: new SimShell(deployer),
    clock: deployer.clock,
    files: localFiles,
    web: { get: async () => ({ detail: 'nobody asks' }) },
    reporter: { report: () => {} },
  };
  const seen = await world.clock.run(look(ports, settingsFor(targetOf(world), rollout, rolesOf(world))));
  deployer.exit();
  return seen;
}

const PLAN = { command: 'deploy', tag: 'v9', force: false, startMs: 0, later: true, waitLockMs: 0 } as const;

export async function planFleet(world: World, options: Partial<PlanOptions> = {}): Promise<Planned> {
  const deployer = new Deployer(world, { ...PLAN, chaos: 0, faults: [] });
  const { allowDowntime, ...rollout } = world.story.policy;
  const calls: string[] = [];
  const commands: RemoteCommand[] = [];
  const others: string[] = [];
  const told = <T extends object>(port: T, tell: (name: string, args: unknown[]) => void): T =>
    new Proxy(port, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          tell(String(name), args);
          return value.apply(target, args);
        };
      },
    });
  const shell = new SimShell(deployer);
  const watched: RemoteShell = {
    connect: async (host) =>
      told<Connection>(await shell.connect(host), (name, [first]) => {
        if (name === 'run') commands.push(first as RemoteCommand);
        else if (name !== 'close' && name !== 'checkHealth') others.push(name);
      }),
  };
  const settings = settingsFor(targetOf(world), rollout, rolesOf(world));
  const ports = {
    cloud: told<Cloud>(new SimCloud(deployer), (name) => calls.push(name)),
    shell: watched,
    clock: deployer.clock,
    files: localFiles,
    web: { get: async () => ({ detail: 'nobody asks' }) },
    reporter: { report: () => {} },
  };
  const plan = await world.clock.run(
    planRollout(ports, {
      settings,
      command: 'deploy',
      imageTag: 'v9',
      force: false,
      allowDowntime,
      findings: [],
      read: { project: () => undefined, variables: () => new Map() },
      ...options,
    }),
  );
  deployer.exit();
  return { plan, calls, commands, others };
}
