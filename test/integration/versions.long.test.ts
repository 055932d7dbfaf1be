/** A release from git: the real command, a real repository, a droplet behind no balancer. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { GIT_ENV } from '../support/git-project.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 1 });
});
afterAll(() => fleet.stop());

/** Nothing listens there: a command that contacts DigitalOcean fails with exit code 1. */
const UNREACHABLE = { DIGITALOCEAN_API_URL: 'http://127.0.0.1:9/v2' };
const CONF = 'config/nginx/nginx.conf';

it('deploys the files of a tag with the local secrets, and reports which environment runs it', async () => {
  const cwd = await fleet.freshCheckout();
  const droplet = fleet.region.droplet('web-1');
  const git = (...args: string[]) => execFileSync('git', args, { cwd, env: GIT_ENV, encoding: 'utf8' }).trim();
  const run = (args: string[], env = {}) => fleet.run(args, { cwd, env: { ...GIT_ENV, ...env } });
  const onDroplet = (path: string) => readFileSync(join(droplet.home, 'do-deploy/shop/current', path), 'utf8');
  const configure = async (section: object) => {
    const file = join(cwd, 'config/deploy.yml');
    const environments = { alone: { droplet: droplet.id, ...section }, gone: { droplet: 1 } };
    await writeFile(file, stringify({ ...parse(await readFile(file, 'utf8')), environments }));
  };

  await configure({});
  await writeFile(join(cwd, 'config/.env.alone'), 'SECRET_KEY=from-the-working-tree\n');
  await writeFile(join(cwd, '.gitignore'), 'config/.env\nconfig/.env.*\n');
  git('init', '--quiet', '--initial-branch=main');
  expect(await run(['tag', 'v1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('not staged') });
  expect(await run(['tag', 'v1', '--all'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  const tagged = await run(['tag', 'v1', '--all', '--yes', '--json']);
  const commit = git('rev-parse', 'v1^{commit}');
  expect(tagged.code).toBe(0);
  expect(JSON.parse(tagged.stdout)).toMatchObject({ schema: 2, type: 'tagged', name: 'v1', commit });
  expect(JSON.parse(tagged.stdout).committed).toContain(CONF);
  const original = await readFile(join(cwd, CONF), 'utf8');

  // The working tree differs from the tag: a changed file, a removed one, and a newer one.
  await writeFile(join(cwd, CONF), `${original}# not in v1\n`);
  await rm(join(cwd, 'compose'), { recursive: true });
  await writeFile(join(cwd, 'config/nginx/later.conf'), '# not in v1\n');
  git('add', 'config/nginx/later.conf');
  const before = git('status', '--porcelain');

  const deployed = await run(['alone', 'v1', '--json']);
  expect(deployed).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v1', commit } } });
  expect(deployed.result?.release).not.toHaveProperty('dirty');
  expect(git('status', '--porcelain'), 'the working tree is not touched').toBe(before);
  expect(onDroplet(CONF)).toBe(original);
  expect(onDroplet('config/.env.alone')).toBe('SECRET_KEY=from-the-working-tree\n');
  expect(existsSync(join(droplet.home, 'do-deploy/shop/current/config/nginx/later.conf'))).toBe(false);
  expect(JSON.parse(onDroplet('release.json'))).toMatchObject({ imageTag: 'v1', commit });

  const history = await run(['history', 'alone', '--json']);
  expect(JSON.parse(history.stdout)).toMatchObject({ imageTag: 'v1', commit, outcome: 'succeeded' });
  expect((await run(['status', 'alone'])).stdout).toContain(`is commit ${commit.slice(0, 7)}`);
  const tags = await run(['tags', '--json']);
  expect(tags.code).toBe(0);
  expect(JSON.parse(tags.stdout)).toMatchObject({
    type: 'tags',
    tags: [{ name: 'v1', commit, subject: 'version v1', environments: [{ environment: 'alone', droplets: 1, of: 1 }] }],
    environments: [{ name: 'alone' }, { name: 'gone', unknown: expect.stringMatching(/./) }],
  });
  expect((await run(['tags'])).stdout).toMatch(/^v1 .* alone +version v1\n +gone: unknown: /m);

  // The policy is checked before anything is contacted.
  await configure({ require_clean: true });
  const unclean = expect.stringContaining('config/deploy.yml');
  expect(await run(['alone', 'v1'], UNREACHABLE)).toMatchObject({ code: 2, stderr: unclean });
  git('checkout', '--quiet', '--', 'compose');
  await configure({ deploy_from: 'release' });
  expect(await run(['alone', 'v2', '--create-tag', '--yes'])).toMatchObject({ code: 2 });
  expect(git('tag', '--list'), 'nothing was tagged').toBe('v1');
  expect(await run(['alone'], UNREACHABLE)).toMatchObject({ code: 2, stderr: expect.stringContaining('git switch') });
  await configure({});
  expect((await run(['alone', 'v1', '--create-tag'], UNREACHABLE)).stderr).toContain('The tag v1 already exists');

  // The local files, although git has a tag v1.
  const here = await run(['alone', 'v1', '--working-tree', '--json']);
  expect(here).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { commit, dirty: true } } });
  expect(onDroplet(CONF)).toContain('# not in v1');

  // Staged changes are committed, tagged and deployed.
  git('add', '--all');
  const both = await run(['alone', 'v2', '--create-tag', '--yes', '--json']);
  const second = git('rev-parse', 'v2^{commit}');
  expect(both).toMatchObject({
    code: 0,
    result: { outcome: 'succeeded', release: { imageTag: 'v2', commit: second } },
  });
  expect(git('log', '--max-count=1', '--format=%s %H')).toBe(`version v2 ${second}`);
});
