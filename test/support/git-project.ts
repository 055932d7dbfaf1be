/** A project in a real git repository, independent of the user's git configuration. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openRepository } from '../../src/adapters/git/repository.js';
import type { Repository } from '../../src/ports.js';

/** git's whole environment. */
export const GIT_ENV = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'Ann',
  GIT_AUTHOR_EMAIL: 'ann@example.com',
  GIT_COMMITTER_NAME: 'Ann',
  GIT_COMMITTER_EMAIL: 'ann@example.com',
};

export class GitProject {
  readonly root: string;
  #minutes = 0;

  /** A folder with `git init` on branch main, removed after the test. */
  constructor(files: Record<string, string | Buffer> = {}, { init = true } = {}) {
    this.root = realpathSync(mkdtempSync(join(tmpdir(), 'do-deploy-git-')));
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
    if (init) this.git('init', '--quiet', '--initial-branch=main');
    this.write(files);
  }

  /** Returns what git printed. Each call dates its commit or tag one minute later. */
  git(...args: string[]): string {
    this.#minutes += 1;
    const date = new Date(Date.UTC(2026, 10, 21, 7, this.#minutes)).toISOString();
    const env = { ...GIT_ENV, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
    return execFileSync('git', args, {
      cwd: this.root,
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  }

  /** A name that ends in `*` creates an executable file. */
  write(files: Record<string, string | Buffer>): this {
    for (const [name, content] of Object.entries(files)) {
      const file = join(this.root, name.replace(/\*$/, ''));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      if (name.endsWith('*')) chmodSync(file, 0o755);
    }
    return this;
  }

  link(path: string, target: string): this {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    symlinkSync(target, join(this.root, path));
    return this;
  }

  remove(path: string): this {
    rmSync(join(this.root, path), { recursive: true });
    return this;
  }

  /** Commits everything that is not ignored, and tags it if a name is given. Returns the hash. */
  commit(tag?: string): string {
    this.git('add', '--all');
    this.git('commit', '--quiet', '--allow-empty', '--message', `up to ${tag ?? 'here'}`);
    if (tag !== undefined) this.git('tag', '--annotate', '--message', `version ${tag}`, tag);
    return this.git('rev-parse', 'HEAD');
  }

  get repository(): Repository {
    return this.repositoryAt('');
  }

  /** The repository as opened from one of its folders. */
  repositoryAt(folder: string): Repository {
    const repository = openRepository(join(this.root, folder), GIT_ENV);
    if (repository === undefined) throw new Error('no repository');
    return repository;
  }
}
