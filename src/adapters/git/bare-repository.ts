/** A bare repository that is pushed to: its settings, its hook, and folders with the files of a commit. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { DeployError } from '../../errors.js';
import { oneLine } from '../printable.js';
import { type GitEnvironment, type GitRun, git, tryGit } from './run-git.js';

/** In the repository: what do-deploy keeps there. Only its owner may read it. */
const OWN = 'do-deploy';

const SECTION = 'do-deploy';

/** A hook that begins like this may be written again. */
const MARK = '# Written by do-deploy hook install.';

/** Deploys that run or wait at the same time: far more than a lock lets through. */
const MAX_CHECKOUTS = 20;

const CHECKOUT_TIMEOUT_MS = 10 * 60_000;

export interface Checkout {
  folder: string;
  remove(): void;
}

export class BareRepository {
  readonly #run: GitRun;

  private constructor(
    readonly path: string,
    env: GitEnvironment,
  ) {
    this.#run = { folder: path, env };
  }

  /** Throws DeployError not-bare, git-failed or git-missing. */
  static open(path: string, env: GitEnvironment): BareRepository {
    const end = existsSync(path) ? tryGit(['rev-parse', '--is-bare-repository'], { folder: path, env }) : undefined;
    const isItself = existsSync(join(path, 'HEAD')) && existsSync(join(path, 'objects'));
    if (end?.code === 0 && end.stdout.toString('utf8').trim() === 'true' && isItself) {
      return new BareRepository(realpathSync(path), env);
    }
    throw new DeployError('not-bare', `${path} is no bare git repository.`, {
      source: 'user',
      hint: 'Name another folder: do-deploy hook install creates the repository where there is nothing yet.',
    });
  }

  /** Creates it where there is nothing, or an empty folder. Throws DeployError not-bare or git-failed. */
  static openOrCreate(path: string, branch: string, env: GitEnvironment): BareRepository {
    if (!existsSync(path) || readdirSync(path).length === 0) {
      mkdirSync(path, { recursive: true });
      const run = { folder: path, env };
      git(['init', '--quiet', '--bare', '.'], run);
      // Git 2.18 has no --initial-branch.
      git(['symbolic-ref', 'HEAD', `refs/heads/${branch}`], run);
    }
    return BareRepository.open(path, env);
  }

  setting(name: string): string | undefined {
    const end = tryGit(['config', '--local', '--get', `${SECTION}.${name}`], this.#run);
    return end?.code === 0 ? end.stdout.toString('utf8').trimEnd() : undefined;
  }

  set(name: string, value: string | undefined): void {
    if (value !== undefined) git(['config', '--local', `${SECTION}.${name}`, value], this.#run);
    else tryGit(['config', '--local', '--unset-all', `${SECTION}.${name}`], this.#run);
  }

  /** Files that are not in git, such as config/.env: each checkout gets them. */
  get privateFiles(): string {
    return join(this.path, OWN, 'files');
  }

  /**
   * @param call the command that it runs, quoted for a shell
   * @throws DeployError hook-exists, hooks-elsewhere or git-failed
   */
  installHook(call: string): void {
    const file = join(this.path, 'hooks', 'post-receive');
    this.#refuseOtherFolder();
    const found = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    if (found !== undefined && !found.split('\n').includes(MARK)) {
      throw new DeployError('hook-exists', `${file} is a hook of yours, and was left as it is.`, {
        source: 'user',
        hint: `To keep it, end it with this line, which reads the hook's input: exec ${call}`,
      });
    }
    mkdirSync(join(this.path, 'hooks'), { recursive: true });
    mkdirSync(this.privateFiles, { recursive: true, mode: 0o700 });
    chmodSync(join(this.path, OWN), 0o700);
    const text = ['#!/bin/sh', MARK, '# Its settings: git config --get-regexp ^do-deploy', `exec ${call}`, ''];
    writeFileSync(`${file}.new`, text.join('\n'), { mode: 0o755 });
    chmodSync(`${file}.new`, 0o755);
    renameSync(`${file}.new`, file);
  }

  /** With `core.hooksPath`, git would not run it, and the folder may be that of all repositories. */
  #refuseOtherFolder(): void {
    const ends = ['--local', '--global', '--system'].map((scope) =>
      tryGit(['config', scope, '--get', 'core.hooksPath'], this.#run),
    );
    const path = ends
      .find((end) => end?.code === 0)
      ?.stdout.toString('utf8')
      .trim();
    if (path === undefined || resolve(this.path, path) === join(this.path, 'hooks')) return;
    throw new DeployError('hooks-elsewhere', `core.hooksPath leads the hooks of this repository to ${oneLine(path)}.`, {
      source: 'user',
      hint: `Let this repository have its own: git -C ${this.path} config core.hooksPath hooks`,
    });
  }

  /** The full hash of the commit. Throws DeployError unknown-ref. */
  commitOf(ref: string): string {
    const end = tryGit(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], this.#run);
    const commit = end?.code === 0 ? end.stdout.toString('utf8').trim() : undefined;
    if (commit !== undefined) return commit;
    throw new DeployError('unknown-ref', `The repository has no commit ${ref}.`, {
      source: 'user',
      hint: `See what it has: git -C ${this.path} branch --all; git -C ${this.path} tag`,
    });
  }

  /** The full name of a branch or tag, undefined for anything else. */
  refOf(name: string): string | undefined {
    return ['refs/heads/', 'refs/tags/']
      .map((place) => `${place}${name}`)
      .find((ref) => tryGit(['rev-parse', '--verify', '--quiet', '--end-of-options', ref], this.#run)?.code === 0);
  }

  /**
   * The files of the commit in a folder of their own, which is a working tree of the repository, with the private files.
   * Folders of runs that have died are removed. Throws DeployError too-many-checkouts or git-failed.
   * @param name of this run, unique
   */
  checkOut(commit: string, name: string, isAlive: (name: string) => boolean): Checkout {
    const all = join(this.path, OWN, 'checkouts');
    mkdirSync(all, { recursive: true, mode: 0o700 });
    for (const old of readdirSync(all)) if (!isAlive(old)) this.#remove(join(all, old));
    if (readdirSync(all).length >= MAX_CHECKOUTS) {
      throw new DeployError('too-many-checkouts', `${MAX_CHECKOUTS} pushes are being deployed already.`, {
        source: 'user',
        hint: 'Wait for them to end, then deploy again.',
      });
    }
    const folder = join(all, name);
    const run = { ...this.#run, timeoutMs: CHECKOUT_TIMEOUT_MS };
    git(['worktree', 'add', '--quiet', '--force', '--detach', folder, commit], run);
    if (existsSync(this.privateFiles)) cpSync(this.privateFiles, folder, { recursive: true });
    return { folder, remove: () => this.#remove(folder) };
  }

  #remove(folder: string): void {
    rmSync(folder, { recursive: true, force: true });
    tryGit(['worktree', 'prune', '--expire', 'now'], this.#run);
  }
}
