/** What `sandbox up` and `sandbox demo` share: a region with v1 deployed to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CommandContext, CommandEnd } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { packageMain, packageRoot } from '../../cli/package-files.js';
import { quote } from '../../deploy/core/shell.js';
import { DeployError } from '../../errors.js';
import type { Clock } from '../../ports.js';
import { openProject, type SandboxProject } from '../../sandbox/project.js';
import { Region } from '../../sandbox/region.js';

const FOLDER = '.do-deploy/sandbox';

export interface Sandbox {
  region: Region;
  project: SandboxProject;
  clock: Clock;
  interrupted: AbortSignal;
  say: (...lines: string[]) => void;
  /** Runs do-deploy as a user would: in the project's folder, without this environment's credentials. */
  doDeploy: (args: string[], stdio: 'inherit' | 'pipe') => ChildProcess;
}

/** Ends the region and removes its sockets afterwards. The folder stays, for the user to look into. */
export async function withSandbox(
  { args, cwd, env, clock, signals, show }: CommandContext<{ droplets: number; folder?: string }>,
  task: (sandbox: Sandbox) => Promise<number>,
): Promise<CommandEnd> {
  const { interrupted } = signals();
  const region = await Region.start({
    folder: args.folder ?? join(cwd, FOLDER),
    droplets: args.droplets,
    // At DigitalOcean's ten seconds between checks a deploy would take minutes. Patient with a busy machine.
    healthCheck: { intervalSeconds: 1, healthyThreshold: 2, unhealthyThreshold: 2, timeoutSeconds: 5 },
    effectDelayMs: 300,
  });
  const project = await openProject(region);
  const { DO_TOKEN, DIGITALOCEAN_ACCESS_TOKEN, DIGITALOCEAN_API_URL, SSH_PRIVATE_KEY, SSH_AUTH_SOCK, ...rest } = env;
  const sandbox: Sandbox = {
    region,
    project,
    clock,
    interrupted,
    say: (...lines) => show({ type: 'text', lines }),
    doDeploy: (words, stdio) =>
      spawn(process.execPath, [packageMain(), ...words], {
        cwd: project.folder,
        env: rest,
        stdio: ['ignore', stdio, stdio],
      }),
  };
  try {
    const droplets = args.droplets === 1 ? '1 droplet' : `${args.droplets} droplets`;
    sandbox.say(`A region with ${droplets} behind a balancer is up at ${region.balancerUrl}`);
    await firstDeploy(sandbox);
    return { exit: await task(sandbox) };
  } finally {
    await region.stop();
  }
}

/** Takes all droplets in one batch, because nothing serves yet. */
async function firstDeploy({ project, say, doDeploy }: Sandbox): Promise<void> {
  say('Deploying v1 to it …');
  const words = ['deploy', 'sandbox', 'v1', '--yes', '--allow-downtime', '--config', project.firstConfig];
  const child = doDeploy(words, 'pipe');
  let printed = '';
  const keep = (chunk: unknown) => {
    printed += chunk;
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const code = await exitOf(child);
  if (code === 0) return;
  const message = `The sandbox could not deploy v1 to itself (exit code ${code}).\n${printed}`;
  throw new DeployError('sandbox-first-deploy', message, { source: 'bug', hint: 'Report this output.' });
}

export async function exitOf(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? EXIT.failed;
}

/**
 * How to run do-deploy in this folder: with npx if that finds it in a folder above. Otherwise npx would look for a
 * package of that name in a registry, so the file itself is named.
 */
export function commandIn(folder: string): string {
  for (let above = folder; ; above = dirname(above)) {
    if (above === packageRoot() || existsSync(join(above, 'node_modules/.bin/do-deploy'))) return 'npx do-deploy';
    // npx looks no further than the nearest project.
    const isProject = existsSync(join(above, 'package.json')) || existsSync(join(above, 'node_modules'));
    if (isProject || above === dirname(above)) return `node ${quote(packageMain())}`;
  }
}
