import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { required, text } from '../../cli/arguments.js';
import { type CommandContext, type CommandEnd, defineCommand } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { rolloutExits } from '../../cli/options.js';
import type { PushSettings } from '../../cli/push-repository.js';
import { commandLine } from '../../cli/usage-errors.js';
import { IMAGE_TAG } from '../../config/names.js';
import { onAbort } from '../../deploy/core/on-abort.js';
import { shortHash } from '../../rollout/commit.js';
import { nameOfRef, type PushedDeploy } from '../../rollout/pushed-refs.js';

/** A push of 10,000 refs. */
const MAX_INPUT_BYTES = 2 * 1024 * 1024;

export default defineCommand({
  name: 'hook run',
  topic: 'set-up',
  summary: 'Deploy what was pushed: the hook of hook install calls this',
  description:
    'Git gives it the pushed refs on standard input. With REF it deploys that branch or tag again, for example after a\ndeploy that failed.',
  examples: [
    ['hook run shop.git main', 'deploy again what is on main'],
    ['hook run shop.git v1.4.2', 'deploy the tag v1.4.2 again'],
  ],
  positionals: {
    path: required(text({ describe: 'The folder of the repository' })),
    ref: text({ describe: 'A branch or tag of the repository (default: what git says on standard input)' }),
  },
  settings: 'none',
  exits: rolloutExits,
  async run(context) {
    const { args, show } = context;
    const [{ openPushRepository, readPushSettings }, { decidePush, readPushedRefs }] = await Promise.all([
      import('../../cli/push-repository.js'),
      import('../../rollout/pushed-refs.js'),
    ]);
    const repository = openPushRepository(args.path, context);
    const settings = readPushSettings(repository);
    let deploy: PushedDeploy | undefined;
    if (args.ref === undefined) {
      const decision = decidePush(readPushedRefs(await readInput(context)), settings);
      if (decision.lines.length > 0) show({ type: 'text', lines: decision.lines });
      deploy = decision.deploy;
    } else {
      const ref = repository.refOf(args.ref) ?? args.ref;
      const isTag = ref.startsWith('refs/tags/');
      deploy = { ref, commit: repository.commitOf(ref), ...(isTag && { tag: nameOfRef(ref) }) };
    }
    if (deploy === undefined) return { exit: EXIT.ok };
    const { ref, tag } = deploy;
    if (tag !== undefined && !IMAGE_TAG.test(tag)) {
      const why = `The tag ${tag} is no image tag, so it is not deployed: letters, digits and . _ - can be in one.`;
      return { exit: EXIT.ok, output: { type: 'text', lines: [why] } };
    }
    const commit = repository.commitOf(deploy.commit);
    const name = nameOfRef(ref);
    show({ type: 'text', lines: [`Deploying ${name} (${shortHash(commit)}) to ${settings.environment}.`] });
    const checkout = repository.checkOut(commit, `${process.pid}-${shortHash(commit)}`, isRunning);
    try {
      const exit = await runDeploy(context, checkout.folder, wordsOf(settings, { commit, tag }));
      return {
        exit,
        output: {
          type: 'text',
          lines: [closing(exit, settings, name, commandLine(['hook', 'run', repository.path, name]))],
        },
      };
    } finally {
      checkout.remove();
    }
  },
});

async function readInput({ programIO }: Pick<CommandContext, 'programIO'>): Promise<string> {
  const { stdin, isTerminal } = programIO();
  if (isTerminal.stdin) return '';
  let text = '';
  // All of it has to be read: otherwise git would fail to write it.
  for await (const chunk of stdin) if (text.length < MAX_INPUT_BYTES) text += chunk.toString('utf8');
  return text;
}

function wordsOf(
  { environment, byCommit, confirmEnvironment }: PushSettings,
  { commit, tag }: { commit: string; tag: string | undefined },
): string[] {
  const release = tag ?? (byCommit ? commit : undefined);
  return [
    'deploy',
    environment,
    ...(release === undefined ? [] : [release]),
    '--yes',
    ...(confirmEnvironment === undefined ? [] : ['--confirm-environment', confirmEnvironment]),
  ];
}

/** The name of a checkout begins with the id of the process that made it. */
function isRunning(name: string): boolean {
  const pid = Number.parseInt(name, 10);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * As a process of its own, in the folder of the pushed files: their configuration, layers and hooks count. It goes on if the
 * pusher's connection is lost. Resolves to its exit code.
 */
async function runDeploy(
  context: CommandContext,
  folder: string,
  words: readonly string[],
): Promise<CommandEnd['exit']> {
  const { packageMain } = await import('../../cli/package-files.js');
  const { interrupted, aborted } = context.signals();
  const ended = new AbortController();
  const child = spawn(process.execPath, [packageMain(), ...words], {
    cwd: folder,
    env: withoutGit(context.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    // Signals of the terminal reach it once, from here.
    detached: true,
  });
  for (const signal of [interrupted, aborted]) onAbort(signal, () => void child.kill('SIGTERM'), ended.signal);
  try {
    const [[code]] = await Promise.all([
      once(child, 'close') as Promise<[number | null]>,
      relay(child.stdout, (line) => context.show({ type: 'text', lines: [line] })),
      relay(child.stderr, (line) => context.note(line)),
    ]);
    return code ?? EXIT.failed;
  } finally {
    ended.abort();
  }
}

async function relay(stream: ChildProcess['stdout'], to: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream as Readable, crlfDelay: Number.POSITIVE_INFINITY }))
    to(line);
}

/** Git sets variables for its hooks that lead every git command to the repository that was pushed to. */
function withoutGit(env: CommandContext['env']): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('GIT_')));
}

function closing(exit: number, { environment }: PushSettings, name: string, again: string): string {
  const stored = `${name} is stored all the same; nothing of the push is lost.`;
  if (exit === EXIT.ok) return `${name} is deployed to ${environment}.`;
  if (exit === EXIT.leaseHeld) {
    return `NOT DEPLOYED: another deploy to ${environment} is running. ${stored} Once it has ended, on this machine: ${again}`;
  }
  return `NOT DEPLOYED (exit code ${exit}): see above. ${stored} To try again, on this machine: ${again}`;
}
