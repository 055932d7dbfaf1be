#!/usr/bin/env node
/** The command. The only place that ends the process; everything heavy is imported when it is needed. */
import { existsSync, readFileSync } from 'node:fs';
import { asDeployError } from '../errors.js';
import type { Invocation } from './commands.js';
import type { CliContext } from './context.js';
import { exitCodeOfError } from './exit-codes.js';

const context: CliContext = {
  cwd: process.cwd(),
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
};

async function run(invocation: Invocation): Promise<number> {
  if (invocation.command !== 'show') (await import('./tell-project.js')).tellProject(invocation, context);
  switch (invocation.command) {
    case 'show':
      context.stdout.write(`${invocation.text}\n`);
      return 0;
    case 'deploy':
      return (await import('./deploy.js')).deployCommand(invocation, context);
    case 'status':
      return (await import('./status.js')).statusCommand(invocation, context);
    case 'heal':
      return (await import('./heal.js')).healCommand(invocation, context);
    case 'adopt':
      return (await import('./adopt.js')).adoptCommand(invocation, context);
    case 'rollback':
      return (await import('./rollback.js')).rollbackCommand(invocation, context);
    case 'history':
      return (await import('./history.js')).historyCommand(invocation, context);
    case 'tag':
      return (await import('./tag.js')).tagCommand(invocation, context);
    case 'tags':
      return (await import('./tags.js')).tagsCommand(invocation, context);
    case 'lock':
      return (await import('./lock.js')).lockCommand(invocation, context);
    case 'sandbox':
      return (await import('./sandbox.js')).sandboxCommand(invocation, context);
  }
}

/** Tells what went wrong and gives the exit code. */
async function fail(thrown: unknown, argv: readonly string[]): Promise<number> {
  const error = asDeployError(thrown);
  const { createOutput } = await import('./output.js');
  const has = (flag: string) => argv.includes(flag);
  const options = { json: has('--json'), noColor: has('--no-color'), verbose: has('--verbose') };
  createOutput(context, options, []).printError(error);
  return exitCodeOfError(error);
}

/** --help alone: the build has rendered it, so nothing need be loaded. Undefined where there was no build. */
function renderedHelp(argv: readonly string[]): string | undefined {
  const file = new URL('help.txt', import.meta.url);
  const asked = argv.length === 1 && (argv[0] === '--help' || argv[0] === '-h');
  return asked && existsSync(file) ? readFileSync(file, 'utf8').trimEnd() : undefined;
}

async function understand(argv: readonly string[]): Promise<Invocation> {
  const text = renderedHelp(argv);
  if (text !== undefined) return { command: 'show', text };
  return (await import('./commands.js')).parseArguments(argv, version());
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** What was written to a pipe may be on its way still, and to exit would drop it. */
async function end(code: number): Promise<never> {
  await Promise.all([written(process.stdout), written(process.stderr)]);
  process.exit(code);
}

/** When all that the stream was given has gone out; at once where its reader went away. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    stream.write('', () => resolve());
  });
}

const argv = process.argv.slice(2);
// Whoever reads the output may go away (`do-deploy … | head`): that is no reason to stop half-way.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
// Node would print the error with all that it carries, and a library's error may carry a request with its token.
process.on('uncaughtException', (error) => {
  void fail(error, argv).finally(() => end(1));
});

// No await at the top: the bundle is CommonJS, which Node loads faster.
understand(argv)
  .then(run)
  .catch((error) => fail(error, argv))
  .then(end);
