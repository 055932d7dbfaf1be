/**
 * Hooks: programs of the project that run here at an event. `config/hooks/EVENT`, then those in `config/hooks/EVENT.d/` by
 * name. Each gets the event in variables and, as JSON, on its standard input.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { namesSecret } from '../config/harmless.js';
import type { Settings } from '../config/settings.js';
import { suggest } from '../config/suggest.js';
import type { ProcessEnv } from '../config/variables.js';
import { DeployError } from '../errors.js';
import type { Clock } from '../ports.js';
import {
  type Handler,
  type HandlerContext,
  LIFECYCLE_EVENTS,
  type LifecycleEvent,
  type LifecyclePayload,
} from '../rollout/lifecycle.js';

const PRIORITY = 50;

/** Bounds what of a hook's output is printed, in lines and characters of each. */
const MAX_LINES = 1_000;
const MAX_LINE = 2_000;

/** How long a program gets to end by itself after SIGTERM, and its output after its end, in ms. */
const TERM_MS = 5_000;
const OUTPUT_AFTER_EXIT_MS = 1_000;

/**
 * The hooks in the project's folder, as handlers.
 * @param isSecret whether a value is masked in the output
 * @param clock for what a program may take to end
 * @throws DeployError hook-not-executable or hook-unknown, before anything is contacted
 */
export function readHooks(
  { root, hooks }: Settings,
  env: ProcessEnv,
  isSecret: (value: string) => boolean,
  clock: Clock,
): Handler[] {
  if (hooks === undefined) return [];
  refuseUnknown(root, hooks.folder);
  const allowed = Object.entries(hooks.secrets).map(([name, value]) => [name, value.reveal()]);
  const passed = { ...withoutSecrets(env, isSecret), ...Object.fromEntries(allowed) };
  return LIFECYCLE_EVENTS.flatMap((event) =>
    programsFor(root, hooks.folder, event).map((path): Handler => {
      const handle = (payload: LifecyclePayload, context: HandlerContext) =>
        runHook(clock, join(root, path), root, { ...passed, ...variablesOf(payload) }, payload, context);
      return { name: `hook ${path}`, event, priority: PRIORITY, timeoutMs: hooks.timeoutMs, handle };
    }),
  );
}

function withoutSecrets(env: ProcessEnv, isSecret: (value: string) => boolean): Record<string, string> {
  const pairs = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return Object.fromEntries(pairs.filter(([name, value]) => !namesSecret(name) && !isSecret(value)));
}

/** Paths relative to the project, in the order in which they run. */
function programsFor(root: string, folder: string, event: LifecycleEvent): string[] {
  const several = `${folder}/${event}.d`;
  const inFolder = namesIn(join(root, several)).map((name) => `${several}/${name}`);
  return [`${folder}/${event}`, ...inFolder].filter((path) => isProgram(root, path));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch {
    return [];
  }
}

/** A program that would never run: its name has a typo, or is another tool's. */
function refuseUnknown(root: string, folder: string): void {
  const known: readonly string[] = LIFECYCLE_EVENTS.flatMap((event) => [event, `${event}.d`]);
  const names = namesIn(join(root, folder));
  const odd = names.find((name) => known.includes(name) && isOdd(join(root, folder, name)));
  if (odd !== undefined) {
    const wanted = odd.endsWith('.d') ? 'a folder' : 'a file';
    throw new DeployError('hook-unknown', `${folder}/${odd} is not ${wanted}, so nothing would run.`, {
      source: 'user',
      hint: `See what it is: ls -l ${folder}/${odd}`,
    });
  }
  const unknown = names.find((name) => {
    return !known.includes(name) && !name.endsWith('.sample') && wouldRun(join(root, folder, name));
  });
  if (unknown === undefined) return;
  const meant = suggest(unknown.replace(/\.(?!d$)[^.]*$/, '').replaceAll('-', '_'), known);
  throw new DeployError('hook-unknown', `${folder}/${unknown} is not named after an event.`, {
    source: 'user',
    hint:
      meant === undefined
        ? `The events are ${LIFECYCLE_EVENTS.join(', ')}. Rename it, or move it to another folder.`
        : `Run: mv ${quoted(`${folder}/${unknown}`)} ${folder}/${meant}`,
  });
}

/** A folder where a program should be, or the other way round, or a link that leads nowhere. */
function isOdd(path: string): boolean {
  const found = look(path);
  return path.endsWith('.d') ? found?.isDirectory() !== true : found?.isFile() !== true;
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A circle of links, or a folder that may not be read.
    return undefined;
  }
}

/** An executable, or a folder that looks like one of an event. */
function wouldRun(path: string): boolean {
  const found = look(path);
  if (found?.isDirectory()) return path.endsWith('.d');
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function isProgram(root: string, path: string): boolean {
  const file = join(root, path);
  const found = look(file);
  if (found === undefined || !found.isFile()) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    throw new DeployError('hook-not-executable', `${path} is not executable.`, {
      source: 'user',
      hint: `Run: chmod +x ${path}`,
    });
  }
}

function variablesOf(payload: LifecyclePayload): Record<string, string> {
  const { event, command, app, environment, release, droplets, droplet, result, durationMs, url } = payload;
  return {
    DO_DEPLOY_EVENT: event,
    DO_DEPLOY_COMMAND: command,
    DO_DEPLOY_APP: app,
    DO_DEPLOY_ENVIRONMENT: environment,
    DO_DEPLOY_RELEASE: release.id,
    DO_DEPLOY_IMAGE_TAG: release.imageTag,
    DO_DEPLOY_COMMIT: release.commit ?? '',
    DO_DEPLOY_DROPLETS: droplets.join(' '),
    DO_DEPLOY_DROPLET: droplet ?? '',
    DO_DEPLOY_OUTCOME: result?.outcome ?? '',
    DO_DEPLOY_ERROR_CODE: result?.error?.code ?? '',
    DO_DEPLOY_ERROR: withoutZeros(result?.error?.message ?? ''),
    DO_DEPLOY_DURATION_MS: durationMs === undefined ? '' : String(durationMs),
    DO_DEPLOY_URL: url ?? '',
  };
}

/** A variable cannot hold a zero byte. */
function withoutZeros(text: string): string {
  return text.replaceAll('\0', '');
}

/** Resolves when the program has ended well. Ends it and its children when the signal aborts: SIGTERM, later SIGKILL. */
async function runHook(
  clock: Clock,
  file: string,
  cwd: string,
  env: Record<string, string>,
  payload: LifecyclePayload,
  { signal, log }: HandlerContext,
): Promise<void> {
  // A process group of its own, so that its children end with it, and Ctrl-C does not reach it.
  const child = spawn(file, [], { cwd, env, detached: true, stdio: 'pipe' });
  const stop = () => endGroup(clock, child);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  // Before anything else is asked of it: a program that cannot be started may have no streams.
  const ended = endOf(clock, child);
  let lines = 0;
  const print = (line: string) => {
    lines += 1;
    if (lines <= MAX_LINES) log(line.slice(0, MAX_LINE));
    else if (lines === MAX_LINES + 1) log(`only the first ${MAX_LINES} lines are shown`);
  };
  for (const stream of [child.stdout, child.stderr]) if (stream) readLines(stream, print);
  // It need not read its input.
  child.stdin?.on('error', () => {});
  child.stdin?.end(`${JSON.stringify(payload)}\n`);
  try {
    await ended;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Calls `print` for each line, as long as it comes: of a long one only the beginning, and the rest is not kept. */
function readLines(stream: Readable, print: (line: string) => void): void {
  let line = '';
  const end = () => {
    print(line);
    line = '';
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const [rest = '', ...lines] = chunk.split('\n');
    line = (line + rest).slice(0, MAX_LINE + 1);
    for (const next of lines) {
      end();
      line = next.slice(0, MAX_LINE + 1);
    }
  });
  stream.on('close', () => {
    if (line !== '') end();
  });
}

/** Rejects unless the exit code is 0. */
async function endOf(clock: Clock, child: ChildProcess): Promise<void> {
  const closed = new AbortController();
  child.on('close', () => closed.abort());
  await new Promise<void>((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`it cannot be started: ${error.message}`)));
    child.on('exit', async (code, killedBy) => {
      // What it has left running, such as a daemon, may keep its output open for ever.
      await clock.sleep(OUTPUT_AFTER_EXIT_MS, closed.signal);
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      if (code === 0) resolve();
      else reject(new Error(code === null ? `it was ended by ${killedBy}` : `exit code ${code}`));
    });
  });
}

/** A program that ignores SIGTERM does not outlive this process either. */
function endGroup(clock: Clock, child: ChildProcess): void {
  const send = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // It has ended.
    }
  };
  const kill = () => send('SIGKILL');
  const ended = new AbortController();
  send('SIGTERM');
  process.once('exit', kill);
  child.once('exit', () => {
    ended.abort();
    process.off('exit', kill);
    // Its children may have stayed.
    kill();
  });
  void clock.sleep(TERM_MS, ended.signal).then(() => !ended.signal.aborted && kill());
}
