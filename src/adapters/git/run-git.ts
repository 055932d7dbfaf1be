/** Runs git with a list of arguments: no shell, no prompt, no pager, no locale; bounded in time and output. */
import { spawnSync } from 'node:child_process';
import { inWords } from '../../durations.js';
import { DeployError } from '../../errors.js';
import { fewLines } from '../printable.js';

export type GitEnvironment = Readonly<Record<string, string | undefined>>;

export interface GitEnd {
  /** 0 on success. */
  code: number;
  stdout: Buffer;
  stderr: string;
}

export interface GitRun {
  folder: string;
  env: GitEnvironment;
  stdin?: string;
  timeoutMs?: number;
  /** Variables set for this call only: GIT_DIR, GIT_INDEX_FILE. */
  set?: Readonly<Record<string, string>>;
  /** Configuration for this call only: `core.eol=lf`. */
  config?: readonly string[];
  /** Run the repository's hooks, and let them use the network: for a commit, which they are there to check. */
  hooks?: boolean;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** Bounds stdout and stderr of a call. A listing of a million paths takes about 100 MiB. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
const MAX_ERROR_LINES = 12;

/**
 * Variables that point git at another repository, or change what paths mean: a git hook sets some of them for its own
 * repository. Source: `git rev-parse --local-env-vars`, except GIT_CONFIG_COUNT, by which CI systems set
 * `safe.directory`; and git(1), "Environment Variables".
 */
const REMOVED_VARIABLES = new Set([
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_ATTR_SOURCE',
  'GIT_COMMON_DIR',
  'GIT_CONFIG',
  'GIT_CONFIG_PARAMETERS',
  'GIT_DIR',
  'GIT_GLOB_PATHSPECS',
  'GIT_GRAFT_FILE',
  'GIT_ICASE_PATHSPECS',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_LITERAL_PATHSPECS',
  'GIT_NAMESPACE',
  'GIT_NOGLOB_PATHSPECS',
  'GIT_NO_REPLACE_OBJECTS',
  'GIT_OBJECT_DIRECTORY',
  'GIT_PREFIX',
  'GIT_REPLACE_REF_BASE',
  'GIT_SHALLOW_FILE',
  'GIT_WORK_TREE',
]);

/** Returns undefined when no git is installed. Throws DeployError `git-failed` when git reached no exit code. */
export function tryGit(args: readonly string[], run: GitRun): GitEnd | undefined {
  const { folder, stdin = '', timeoutMs = DEFAULT_TIMEOUT_MS, hooks = false } = run;
  const config = ['core.fsmonitor=false', ...(hooks ? [] : ['core.hooksPath=/dev/null']), ...(run.config ?? [])];
  const options = ['--no-pager', '--no-optional-locks', ...config.flatMap((setting) => ['-c', setting])];
  const { error, status, signal, stdout, stderr } = spawnSync('git', [...options, ...args], {
    cwd: folder,
    env: environmentOf(run),
    input: stdin,
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') return undefined;
  if (code === 'ETIMEDOUT') throw gitFailed(args, `no result within ${inWords(timeoutMs)}`);
  if (code === 'ENOBUFS') throw gitFailed(args, `more than ${MAX_OUTPUT_BYTES / 1024 / 1024} MiB of output`);
  if (error !== undefined) throw gitFailed(args, error.message);
  if (status === null) throw gitFailed(args, `ended by ${signal}`);
  return { code: status, stdout, stderr: stderr.toString('utf8') };
}

function environmentOf({ env, hooks, set }: GitRun): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !REMOVED_VARIABLES.has(name));
  // No transport is allowed: reading must not fetch what a partial clone lacks, over the network or through a prompt.
  const offline = hooks ? {} : { GIT_ALLOW_PROTOCOL: '', GIT_NO_LAZY_FETCH: '1' };
  return { ...Object.fromEntries(kept), ...offline, LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', ...set };
}

/** Throws DeployError `git-failed`, also for any exit code other than 0. */
export function git(args: readonly string[], run: GitRun): Buffer {
  const end = tryGit(args, run);
  if (end === undefined) throw gitFailed(args, 'git is not installed');
  if (end.code !== 0) throw gitFailed(args, end.stderr || end.stdout.toString('utf8') || `exit code ${end.code}`);
  return end.stdout;
}

export function gitFailed(args: readonly string[], reason: string): DeployError {
  const verb = args.find((word) => !word.startsWith('-')) ?? '';
  return new DeployError('git-failed', `git ${verb} failed: ${fewLines(reason, MAX_ERROR_LINES)}`, {
    source: 'user',
    hint: hintFor(reason),
  });
}

function hintFor(reason: string): string {
  // What git says of an object that a partial clone has not fetched.
  if (/protocol '|transport '|promisor remote|lazy fetching disabled/i.test(reason)) {
    return 'This is a partial clone: fetch its files first with `git fetch --refetch --no-filter`, then run again.';
  }
  return 'Fix what git reports, then run again. Nothing was deployed.';
}

/** The fields of output made with `-z`. */
export function readNulls(output: Buffer): string[] {
  return output.toString('utf8').split('\0').slice(0, -1);
}
