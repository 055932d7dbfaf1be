/** Runs git with a list of arguments: no shell, no prompt, no pager, no locale. */
import { spawnSync } from 'node:child_process';
import { DeployError } from '../../errors.js';

export type GitEnvironment = Readonly<Record<string, string | undefined>>;

export interface GitEnd {
  /** 0: it did what it was asked. */
  code: number;
  stdout: Buffer;
  stderr: string;
}

export interface GitRun {
  folder: string;
  env: GitEnvironment;
  stdin?: string;
  /** Default: a minute. */
  timeoutMs?: number;
}

const WITHIN_MS = 60_000;

/**
 * A git hook sets these for its own repository, which need not be the one of the folder.
 * Source: `git rev-parse --local-env-vars`.
 */
const OF_ANOTHER_REPOSITORY = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_COMMON_DIR'];

/** Undefined: there is no git on this machine. */
export function tryGit(args: readonly string[], run: GitRun): GitEnd | undefined {
  const { folder, env, stdin = '', timeoutMs = WITHIN_MS } = run;
  const own = Object.entries(env).filter(([name]) => !OF_ANOTHER_REPOSITORY.includes(name));
  const { error, status, signal, stdout, stderr } = spawnSync('git', ['--no-pager', '--no-optional-locks', ...args], {
    cwd: folder,
    env: { ...Object.fromEntries(own), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0' },
    input: stdin,
    timeout: timeoutMs,
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT') return undefined;
  if (code === 'ETIMEDOUT') throw gitFailed(args, `it did not end within ${timeoutMs / 1000} s`);
  if (error !== undefined) throw gitFailed(args, error.message);
  if (status === null) throw gitFailed(args, `it was ended by ${signal}`);
  return { code: status, stdout, stderr: stderr.toString('utf8') };
}

/** Throws DeployError `git-failed`, also for any exit code but 0. */
export function git(args: readonly string[], run: GitRun): Buffer {
  const end = tryGit(args, run);
  if (end === undefined) throw gitFailed(args, 'there is no git on this machine');
  if (end.code !== 0) throw gitFailed(args, end.stderr || end.stdout.toString('utf8') || `exit code ${end.code}`);
  return end.stdout;
}

export function gitFailed(args: readonly string[], reason: string): DeployError {
  const verb = args.find((word) => !word.startsWith('-')) ?? '';
  const said = reason.trim().split('\n').slice(0, 12).join('\n');
  return new DeployError('git-failed', `git ${verb} failed: ${said}`, {
    source: 'user',
    hint: 'Mend what git says, and run it again; nothing was deployed.',
  });
}

/** What `-z` separates. */
export function readNulls(output: Buffer): string[] {
  return output.toString('utf8').split('\0').slice(0, -1);
}
