/** Values of `secrets:`, from commands and files of this machine. No message contains any part of one. */
import { statSync } from 'node:fs';
import { inWords } from '../durations.js';
import { decodeText } from './decode-text.js';
import { encryptionOf } from './encryption.js';
import type { ProblemList } from './problems.js';
import { describeFileError, type FileFault, readHead, unusualKind } from './read-file.js';
import { Secret } from './secret.js';
import type { ProcessEnv } from './variables.js';

export type SecretSource = {
  name: string;
  /** `config/deploy.yml:12` */
  place: string;
} & (
  | { command: string; file?: undefined }
  /** `path` as written, `local` absolute. */
  | { file: { path: string; local: string }; command?: undefined }
);

/** How a command line ended. */
export type CommandEnd =
  | { kind: 'ended'; code: number | null; signal: string | null; stdout: Buffer; stderr: string }
  | { kind: 'not-started'; reason: string }
  /** After `timeoutMs` (or the signal) or `maxBytes`, the command and what it started were killed. */
  | { kind: 'timeout'; stdout: Buffer; stderr: string }
  | { kind: 'too-large'; stdout: Buffer; stderr: string };

/** Runs a line in a shell, without standard input. Never throws. */
export type RunCommand = (line: string, options: CommandOptions) => Promise<CommandEnd>;

export interface CommandOptions {
  cwd: string;
  env: ProcessEnv;
  timeoutMs: number;
  maxBytes: number;
  signal?: AbortSignal;
  /** What the command has left running ends with it, as it does at the timeout. An agent that holds secrets stays. */
  endsChildren?: boolean;
}

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 64 * 1024;
/** Of what a failed command said on standard error. */
const MAX_REASON = 300;
/** Shorter pieces of output are in every message. */
const SHORTEST_LINE = 4;

/**
 * Reads all sources, the commands in parallel. What fails becomes a problem, all of them together.
 * @param hide called for every text that must not be shown, before any problem is added
 */
export async function readSecrets(
  sources: readonly SecretSource[],
  { root, env, run }: { root: string; env: ProcessEnv; run: RunCommand | undefined },
  problems: ProblemList,
  hide: (secret: Secret) => void,
): Promise<Map<string, string>> {
  const options = { cwd: root, env, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES };
  const ends = await Promise.all(
    sources.map(async ({ command }) => {
      if (command === undefined) return undefined;
      if (run === undefined) throw new Error('the settings were loaded without a way to run commands');
      return await run(command, options);
    }),
  );
  const outputs = ends.flatMap((end) => (end === undefined || end.kind === 'not-started' ? [] : textOf(end.stdout)));
  for (const output of outputs) hide(new Secret(output));

  const values = new Map<string, string>();
  for (const [index, source] of sources.entries()) {
    const end = ends[index];
    const read = end === undefined ? contentOf(source) : outputOf(end, source, outputs);
    const value = Buffer.isBuffer(read) ? textIn(read) : read;
    if (typeof value === 'string') {
      hide(new Secret(value));
      values.set(source.name, value);
    } else {
      problems.add(source.place, `secrets.${source.name}: ${value.message}`, value.remedy);
    }
  }
  return values;
}

/** The value that a file holds, to be masked; undefined for a command, and where the file cannot be read. */
export function readSecretFile(source: SecretSource): Secret[] | undefined {
  const content = source.file === undefined ? undefined : contentOf(source);
  const value = Buffer.isBuffer(content) ? textIn(content) : undefined;
  return typeof value === 'string' ? [new Secret(value)] : undefined;
}

function contentOf({ file }: SecretSource): Buffer | FileFault {
  const { path, local } = file ?? { path: '', local: '' };
  try {
    const kind = unusualKind(statSync(local));
    // Opening a named pipe would wait for a writer.
    if (kind !== undefined) return { message: `${path} is ${kind}, not a file`, remedy: 'name a regular file' };
    const { content } = readHead(local, MAX_BYTES + 1);
    if (content.length > MAX_BYTES) return tooLarge(path);
    const encryption = encryptionOf(content);
    if (encryption === undefined) return content;
    return { message: `${path} is encrypted by ${encryption.by}`, remedy: encryption.remedy(path) };
  } catch (error) {
    const { message, remedy } = describeFileError(error, path);
    return { message: `${path} ${message}`, remedy };
  }
}

function outputOf(end: CommandEnd, { command = '' }: SecretSource, outputs: readonly string[]): Buffer | FileFault {
  // The command line itself may hold a password, so it is not repeated.
  const remedy = 'run the command in the project to see why';
  if (end.kind === 'not-started') return { message: `its command could not be started: ${end.reason}`, remedy };
  if (end.kind === 'too-large') return tooLarge('the output of its command');
  const said = reasonIn(end.stderr, [...outputs, command, ...partsOf(command)]);
  if (end.kind === 'timeout') {
    const message = `its command did not end within ${inWords(TIMEOUT_MS)}${said}`;
    return { message, remedy: 'it gets no input and no terminal: log in to the password manager first' };
  }
  if (end.code === 0) return end.stdout;
  const how = end.signal === null ? `failed with exit code ${end.code}` : `was ended by ${end.signal}`;
  return { message: `its command ${how}${said}`, remedy };
}

function tooLarge(what: string): FileFault {
  return { message: `${what} is larger than ${MAX_BYTES / 1024} KiB`, remedy: 'name something smaller' };
}

function textIn(content: Buffer): string | FileFault {
  const text = decodeText(content);
  if (typeof text !== 'string')
    return { message: 'its value is not UTF-8 text', remedy: 'encode it, as base64 for example' };
  // Editors and programs end a file with a line break that is no part of the value.
  const value = text.replace(/\r?\n$/, '');
  return value.trim() === '' ? { message: 'its value is empty', remedy: 'check where it comes from' } : value;
}

function textOf(stdout: Buffer): string {
  return stdout.toString('utf8').trim();
}

/** Each text, and each line of it: a failed command may repeat one of them. The longest first. */
function piecesOf(texts: readonly string[]): string[] {
  const lines = texts.flatMap((text) => text.split('\n').map((line) => line.trim()));
  const pieces = [...new Set([...texts, ...lines])].filter((piece) => piece.length >= SHORTEST_LINE);
  return pieces.sort((a, b) => b.length - a.length);
}

/** Words of a command line that may be passwords: what is assigned or passed with `=`, and words with digits. */
function partsOf(command: string): string[] {
  const words = command.split(/[\s"'`;|&()<>$]+/);
  const assigned = words.flatMap((word) => word.split('=').slice(1));
  return [...words.filter((word) => /\d/.test(word)), ...assigned].filter((one) => one.length >= 6);
}

/** What the command said, in one line, without what it printed as its output; cut after that. */
function reasonIn(stderr: string, hidden: readonly string[]): string {
  let text = stderr;
  for (const piece of piecesOf(hidden)) text = text.replaceAll(piece, '[secret]');
  const lines = text.split('\n').map((line) => line.trim());
  const line = lines.filter((one) => one !== '').join(' / ');
  if (line === '') return '';
  return `: ${line.length > MAX_REASON ? `${line.slice(0, MAX_REASON)}…` : line}`;
}
