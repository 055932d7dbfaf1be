/** The hook of push-to-deploy, with pushes to a folder of this machine; no fleet can be reached. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, type TestContext, vi } from 'vitest';
import { Command } from './command.js';
import { Clone } from './push.js';

vi.setConfig({ testTimeout: 120_000 });

function folders(): { root: string; bare: string; work: string } {
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-push-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const work = join(root, 'work');
  mkdirSync(work);
  return { root, bare: join(root, 'git', "ann's shop.git"), work };
}

const doDeploy = (context: TestContext, cwd: string, ...args: string[]) =>
  new Command(context, args, { cwd, env: { GIT_CONFIG_GLOBAL: '/dev/null' } }).ended;

const FAILING = { 'config/deploy.yml': 'app: shop\nenvironments:\n  production: { load_balancer: $NOT_SET }\n' };

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

it('a repository is created, completed, and prepared again', async (context) => {
  const { root, bare } = folders();
  const first = await doDeploy(context, root, 'hook', 'install', bare, 'production');
  expect(first, first.stderr).toMatchObject({ code: 0 });
  const hook = join(bare, 'hooks/post-receive');
  expect(statSync(hook).mode & 0o777).toBe(0o755);
  expect(statSync(join(bare, 'do-deploy')).mode & 0o777).toBe(0o700);
  expect(first.stdout).toContain('A push to main, or of a tag like v*, is deployed to production.');
  const again = await doDeploy(context, root, 'hook', 'install', bare, 'staging', '--branch', 'develop', '--tags', '');
  expect(again.stdout).toContain('A push to develop is deployed to staging.');
});

it('a hook of the user is never overwritten, nor one that serves other repositories', async (context) => {
  const { root, bare } = folders();
  await doDeploy(context, root, 'hook', 'install', bare);
  const hook = join(bare, 'hooks/post-receive');
  writeFileSync(hook, '#!/bin/sh\nmail ann\n');
  const refused = await doDeploy(context, root, 'hook', 'install', bare);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is a hook of yours') });
  expect(readFileSync(hook, 'utf8')).toBe('#!/bin/sh\nmail ann\n');
  rmSync(hook);
  new Clone(folders().work, bare).git('-C', bare, 'config', 'core.hooksPath', '/etc/hooks');
  const elsewhere = await doDeploy(context, root, 'hook', 'install', bare);
  expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining('core.hooksPath') });
  expect(existsSync(hook)).toBe(false);
});

it('a folder that is something else is refused', async (context) => {
  const { root, work } = folders();
  write(work, { 'letter.txt': 'Dear Ann' });
  const refused = await doDeploy(context, root, 'hook', 'install', work);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is no bare git repository') });
  expect(readdirSync(work)).toEqual(['letter.txt']);
});

it('a push whose deploy fails is stored, says so, and can be deployed again by name', async (context) => {
  const { root, bare, work } = folders();
  await doDeploy(context, root, 'hook', 'install', bare);
  const clone = new Clone(work, bare);
  write(work, FAILING);
  const commit = clone.commit('first');
  const { code, said } = await clone.push('main');
  expect(code, said).toBe(0);
  expect(said).toContain(`Deploying main (${commit.slice(0, 7)}) to production.`);
  expect(said).toContain('NOT_SET');
  expect(said).toContain('NOT DEPLOYED (exit code 2): see above. main is stored all the same');
  expect(clone.git('-C', bare, 'rev-parse', 'main')).toBe(commit);
  expect(readdirSync(join(bare, 'do-deploy/checkouts'))).toEqual([]);
  const again = await doDeploy(context, root, 'hook', 'run', bare, 'main');
  expect(again).toMatchObject({ code: 2, stdout: expect.stringContaining('NOT DEPLOYED (exit code 2)') });
  const unknown = await doDeploy(context, root, 'hook', 'run', bare, 'nowhere');
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('has no commit nowhere') });
});

it('other refs are stored and deploy nothing', async (context) => {
  const { root, bare, work } = folders();
  await doDeploy(context, root, 'hook', 'install', bare);
  const clone = new Clone(work, bare);
  clone.commit('first');
  clone.git('tag', 'v1/beta');
  const feature = await clone.push('main:refs/heads/feature');
  expect(feature.said).toMatch(/feature is stored at [0-9a-f]{7}, and deploys nothing\.\n/);
  const tag = await clone.push('v1/beta');
  expect(tag.said).toContain('The tag v1/beta is no image tag, so it is not deployed');
  const removed = await clone.push(':feature');
  expect(removed.said).toContain('feature was removed: nothing is deployed.');
});

it('what killed runs have left is removed with the next push', async (context) => {
  const { root, bare, work } = folders();
  await doDeploy(context, root, 'hook', 'install', bare);
  // No process has this id.
  mkdirSync(join(bare, 'do-deploy/checkouts/99999999-aaaaaaa'), { recursive: true });
  const clone = new Clone(work, bare);
  write(work, FAILING);
  clone.commit('first');
  await clone.push('main');
  expect(readdirSync(join(bare, 'do-deploy/checkouts'))).toEqual([]);
});
