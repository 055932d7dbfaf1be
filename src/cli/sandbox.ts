/** `do-deploy sandbox up` and `do-deploy sandbox demo`: a DigitalOcean region in a box, and a deploy on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../adapters/system-clock.js';
import { quote } from '../deploy/core/shell.js';
import { DeployError } from '../errors.js';
import { Load, type LoadReport } from '../sandbox/load.js';
import { openProject, type SandboxProject } from '../sandbox/project.js';
import { Region } from '../sandbox/region.js';
import type { SandboxInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { listenForSignals, type Signals } from './signals.js';

const FOLDER = '.do-deploy/sandbox';
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(PACKAGE, 'dist/main.js');
const REQUESTS_PER_SECOND = 50;

/** Gives the exit code. Ctrl-C ends the region and removes its sockets; the folder stays to be looked at. */
export async function sandboxCommand(invocation: SandboxInvocation, context: CliContext): Promise<number> {
  const signals = listenForSignals(process, systemClock);
  const say = (text: string) => context.stdout.write(`${text}\n`);
  const region = await Region.start({
    folder: invocation.folder ?? `${context.cwd}/${FOLDER}`,
    droplets: invocation.droplets,
    // Twice a second apart instead of ten, so that a deploy is a matter of seconds; patient with a busy machine.
    healthCheck: { intervalSeconds: 1, healthyThreshold: 2, unhealthyThreshold: 2, timeoutSeconds: 5 },
    effectDelayMs: 300,
  });
  const project = await openProject(region);
  const sandbox = { region, project, context, signals, say };
  try {
    const droplets = invocation.droplets === 1 ? '1 droplet' : `${invocation.droplets} droplets`;
    say(`A region with ${droplets} behind a balancer is up at ${region.balancerUrl}`);
    await firstDeploy(sandbox);
    return invocation.action === 'demo' ? await demo(sandbox) : await stayUp(sandbox);
  } finally {
    await region.stop();
    signals.dispose();
  }
}

interface Sandbox {
  region: Region;
  project: SandboxProject;
  context: CliContext;
  signals: Signals;
  say: (text: string) => void;
}

/** All at once, because nothing serves yet. */
async function firstDeploy(sandbox: Sandbox): Promise<void> {
  const { project, say } = sandbox;
  say('Deploying v1 to it …');
  const child = doDeploy(
    sandbox,
    ['deploy', 'sandbox', 'v1', '--yes', '--allow-downtime', '--config', project.firstConfig],
    'pipe',
  );
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  const code = await exitOf(child);
  if (code !== 0) {
    throw new DeployError(
      'sandbox-first-deploy',
      `The sandbox could not deploy v1 to itself (exit code ${code}).\n${output}`,
      {
        source: 'bug',
        hint: 'Report this output.',
      },
    );
  }
}

async function stayUp({ region, project, signals, say }: Sandbox): Promise<number> {
  const doDeploy = commandIn(project.folder);
  say(
    [
      'v1 serves. In a second terminal:',
      '',
      `  cd ${word(project.folder)}`,
      `  ${doDeploy} status`,
      `  ${doDeploy} sandbox v2      # also: v3, latest, broken, crash, oom, flaky, slow-start`,
      `  ${doDeploy} staging v2      # one droplet, behind no balancer`,
      `  curl ${region.balancerUrl}`,
      '',
      `The API is at ${region.api.url}; faults are switched on at ${region.controlUrl} (see src/sandbox/README.md).`,
      'Ctrl-C ends it.',
    ].join('\n'),
  );
  if (!signals.interrupted.aborted) await once(signals.interrupted, 'abort');
  say('Ending the region.');
  return EXIT.ok;
}

/**
 * How do-deploy is run in this folder. Where npx finds none among the folders above, it would look for a package of that
 * name elsewhere: there, this very one is named.
 */
export function commandIn(folder: string): string {
  for (let above = folder; ; above = dirname(above)) {
    const isOwn = `${above}${sep}` === PACKAGE;
    if (isOwn || existsSync(join(above, 'node_modules/.bin/do-deploy'))) return 'npx do-deploy';
    // npx looks no further than the nearest project.
    const isProject = existsSync(join(above, 'package.json')) || existsSync(join(above, 'node_modules'));
    if (isProject || above === dirname(above)) return `node ${word(MAIN)}`;
  }
}

/** Quoted where the shell would take it for several words. */
function word(path: string): string {
  return /^[\w./@+-]+$/.test(path) ? path : quote(path);
}

/** A deploy under load, with its proof. */
async function demo(sandbox: Sandbox): Promise<number> {
  const { region, signals, say } = sandbox;
  say(`v1 serves. ${REQUESTS_PER_SECOND} requests a second go to the balancer from now on; deploying v2.\n`);
  const load = Load.start({ url: region.balancerUrl, requestsPerSecond: REQUESTS_PER_SECOND });
  const child = doDeploy(sandbox, ['deploy', 'sandbox', 'v2', '--yes'], 'inherit');
  // The terminal's Ctrl-C reaches the child too; a signal sent to this process alone is passed on.
  const passOn = () => child.kill('SIGTERM');
  signals.interrupted.addEventListener('abort', passOn, { once: true });
  const code = await exitOf(child);
  const answers = code === 0 ? await untilEnoughWasAsked(load, region.balancerUrl) : '';
  const report = await load.stop();
  say('');
  if (answers) say(`The balancer answers: ${answers.trim()}`);
  say(proof(report, region.fewestServing()));
  for (const failure of report.failures.slice(0, 5)) say(`  ${failure.kind}: ${failure.reason}`);
  if (code !== 0) return code;
  return report.failed > 0 || !answers.includes('v2') ? EXIT.failed : EXIT.ok;
}

/** A quick fleet is done before the load has proven much: at least 500 requests are asked in all. */
async function untilEnoughWasAsked(load: Load, url: string): Promise<string> {
  while (load.report().total < 550) await systemClock.sleep(100);
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return await answer.text();
}

function proof(report: LoadReport, fewest: number): string {
  const { total, failed, byKind, latencyMs } = report;
  const kinds = `${byKind['new connection']} on new connections, ${byKind['kept alive']} kept alive, ${byKind.slow} slow`;
  return [
    `${failed} of ${total} requests failed`,
    `(${kinds}; slowest ${Math.round(latencyMs.slowest)} ms; never fewer than ${fewest} serving)`,
  ].join(' ');
}

/** Runs this very command, as a user would: in the project's folder, with nothing of this environment's credentials. */
function doDeploy({ project, context }: Sandbox, args: string[], stdio: 'inherit' | 'pipe'): ChildProcess {
  const { DO_TOKEN, DIGITALOCEAN_ACCESS_TOKEN, DIGITALOCEAN_API_URL, SSH_PRIVATE_KEY, SSH_AUTH_SOCK, ...env } =
    context.env;
  return spawn(process.execPath, [MAIN, ...args], { cwd: project.folder, env, stdio: ['ignore', stdio, stdio] });
}

async function exitOf(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? EXIT.failed;
}
