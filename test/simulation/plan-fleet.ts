/** Commands that only look, on a simulated fleet, with everything that they asked of DigitalOcean and of the droplets. */
import type { Settings } from '../../src/config/settings.js';
import type { DeployPorts } from '../../src/deploy/core/deploy-ports.js';
import { examine } from '../../src/deploy/doctor/examine.js';
import type { PlanOptions } from '../../src/deploy/plan/plan-options.js';
import { planRollout } from '../../src/deploy/plan/plan-rollout.js';
import type { Cloud, Connection, RemoteCommand, RemoteShell } from '../../src/ports.js';
import type { DoctorReport } from '../../src/rollout/doctor.js';
import type { RolloutPlan } from '../../src/rollout/plan.js';
import { Deployer } from './deployer.js';
import { localFiles, settingsFor } from './project.js';
import { rolesOf, targetOf } from './run.js';
import { SimCloud } from './sim-cloud.js';
import { SimShell } from './sim-shell.js';
import type { World } from './world.js';

interface Asked {
  /** Names of the calls of the Cloud port. */
  calls: string[];
  commands: RemoteCommand[];
  /** What was done on droplets besides commands: uploads and held processes. */
  others: string[];
}

export interface Planned extends Asked {
  plan: RolloutPlan;
}

export interface Examined extends Asked {
  report: DoctorReport;
}

const PLAN = { command: 'deploy', tag: 'v9', force: false, startMs: 0, later: true, waitLockMs: 0 } as const;

export async function planFleet(world: World, options: Partial<PlanOptions> = {}): Promise<Planned> {
  const { ports, settings, asked, exit } = watched(world);
  const { allowDowntime } = world.story.policy;
  const plan = await world.clock.run(
    planRollout(ports, {
      settings,
      command: 'deploy',
      imageTag: 'v9',
      force: false,
      allowDowntime,
      findings: [],
      read: { project: () => undefined, variables: () => new Map(), namesSecret: () => false },
      ...options,
    }),
  );
  exit();
  return { plan, ...asked };
}

export async function examineFleet(world: World): Promise<Examined> {
  const { ports, settings, asked, exit } = watched(world);
  const { app, environment } = settings;
  const report = await world.clock.run(
    examine(ports, {
      app,
      environment,
      settings,
      isWhole: true,
      problems: [],
      warnings: [],
      envFiles: [],
      readProject: () => undefined,
    }),
  );
  exit();
  return { report, ...asked };
}

function watched(world: World) {
  const deployer = new Deployer(world, { ...PLAN, chaos: 0, faults: [] });
  const { allowDowntime: _, ...rollout } = world.story.policy;
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
  const watchedShell: RemoteShell = {
    connect: async (host) =>
      told<Connection>(await shell.connect(host), (name, [first]) => {
        if (name === 'run') commands.push(first as RemoteCommand);
        else if (name !== 'close' && name !== 'checkHealth') others.push(name);
      }),
  };
  const ports = {
    cloud: told<Cloud>(new SimCloud(deployer), (name) => calls.push(name)),
    shell: watchedShell,
    clock: deployer.clock,
    files: localFiles,
    web: { get: async () => ({ detail: 'nobody asks' }) },
    reporter: { report: () => {} },
  };
  return {
    ports,
    settings: settingsFor(targetOf(world), rollout, rolesOf(world)),
    asked: { calls, commands, others },
    exit: () => deployer.exit(),
  };
}

/** What another command that only looks finds. */
export async function lookAt<T>(
  world: World,
  look: (ports: DeployPorts, settings: Settings) => Promise<T>,
): Promise<T> {
  const { ports, settings, exit } = watched(world);
  const found = await world.clock.run(look(ports, settings));
  exit();
  return found;
}
