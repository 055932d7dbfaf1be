/** `--set KEY=VALUE`, and where settings come from. */
import { describe, expect, it } from 'vitest';
import { explainSettings } from '../../src/config/explain.js';
import { loadSettings } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problems.js';
import { doDeploy } from '../../src/deploy/core/do-deploy.js';
import { COMPOSE, createProject } from './project-folder.js';

const FILE = `app: shop
rollout: { batch: 1, drain: { timeout: 10s } }
registry: { server: ghcr.io, username: ann, password: $DOCKER_PASSWORD }
environments:
  production:
    load_balancer: $LB
    rollout: { batch: 3 }
`;
const ENV = { DO_TOKEN: 'dop_v1_5ecre7', LB: 'web', DOCKER_PASSWORD: '5ecre7-pass', OTHER: '5ecre7-other' };

async function load(set: string[], env: Record<string, string> = ENV) {
  const cwd = createProject({ ...COMPOSE, 'config/deploy.yml': FILE });
  const options = { cwd, env: { ...env, HOME: cwd }, environment: 'production', needs: 'images' as const, set };
  const settings = await loadSettings(options);
  return { settings, rows: explainSettings(options, settings) };
}

async function problemsOf(...set: string[]) {
  const error = await load(set).catch((one: unknown) => one);
  if (!(error instanceof ConfigError)) throw new Error('it was taken');
  return error.problems.map(({ place, message }) => `${place}: ${message}`);
}

describe('--set', () => {
  it('comes before what the file has for the environment, and maps are merged', async () => {
    const { settings } = await load(['rollout.batch=[1, 50%]', 'rollout.drain.timeout=20s', 'keep_releases=9']);
    expect(settings.rollout).toMatchObject({ batch: [1, '50%'], drainTimeoutMs: 20_000 });
    expect(settings.keepReleases).toBe(9);
    expect((await load([])).settings.rollout).toMatchObject({ batch: [3], drainTimeoutMs: 10_000 });
  });

  it('takes the last of several, maps, text in quotes, and variables', async () => {
    expect((await load(['rollout.batch=2', 'rollout.batch=4'])).settings.rollout.batch).toEqual([4]);
    expect((await load(['rollout={batch: all}'])).settings.rollout).toMatchObject({
      batch: ['all'],
      drainTimeoutMs: 10_000,
    });
    expect((await load(['load_balancer="other one"'])).settings.target).toMatchObject({ ref: 'other one' });
    expect((await load(['load_balancer=$OTHER_LB'], { ...ENV, OTHER_LB: 'second' })).settings.target).toMatchObject({
      ref: 'second',
    });
  });

  it.each<[string, RegExp]>([
    ['rollout.batch=none', /^--set rollout\.batch=…: environments\.production\.rollout\.batch must be /],
    ['rollout.batsh=2', /^--set rollout\.batsh=…: unknown key .*batsh/],
    ['rollout.batch=$NONE', /^--set rollout\.batch=…: \$NONE is not set/],
    ['rollout.batch=[1', /^--set rollout\.batch=…: is not a YAML value/],
    ['rollout=2', /^--set rollout=…: environments\.production\.rollout must be a map/],
    ['environments.production.app=x', /^--set environments\.production\.app=…: unknown key/],
    ['rollout.batch', /^--set: is not KEY=VALUE/],
    ['=2', /^--set: is not KEY=VALUE/],
    ['__proto__.x=2', /^--set: is not KEY=VALUE/],
    ['registry.password=5ecre7', /^--set registry\.password=…: may be a secret/],
    ['secrets.KEY=5ecre7', /^--set secrets\.KEY=…: may be a secret/],
  ])('%s is refused at its place, and its value is not repeated', async (written, expected) => {
    const problems = await problemsOf(written);
    expect(
      problems.some((one) => expected.test(one)),
      problems.join('\n'),
    ).toBe(true);
    expect(problems.join()).not.toContain('5ecre7');
  });

  it('a secret may come from a variable', async () => {
    const { settings } = await load(['registry.password=$OTHER']);
    expect(settings.registry?.password?.reveal()).toBe('5ecre7-other');
  });

  it('is repeated in commands to paste', async () => {
    const { settings } = await load(['rollout.batch=[1, 50%]']);
    expect(doDeploy(settings, 'heal')).toBe("do-deploy heal production --set 'rollout.batch=[1, 50%]'");
    expect(doDeploy((await load([])).settings, 'heal')).toBe('do-deploy heal production');
  });
});

describe('config', () => {
  const from = async (...set: string[]) =>
    Object.fromEntries((await load(set)).rows.map(({ key, value, from: place }) => [key, `${value} # ${place}`]));

  it('names the line, the variable, the option or the default of each setting', async () => {
    expect(await from('keep_releases=7')).toMatchObject({
      app: 'shop # config/deploy.yml:1',
      load_balancer: 'web # config/deploy.yml:6, $LB of the environment',
      'rollout.batch': '3 # config/deploy.yml:7',
      'rollout.drain.timeout': '10s # config/deploy.yml:2',
      'rollout.on_failure': 'revert-droplet # default',
      keep_releases: '7 # --set keep_releases=…',
      token: '[secret] # the environment',
      api_url: 'https://api.digitalocean.com/v2 # default',
    });
  });

  it('tells no secret', async () => {
    expect(JSON.stringify(await from())).not.toContain('5ecre7');
    expect((await from())['registry.password']).toMatch(/^\[secret\] # config\/deploy\.yml:3, \$DOCKER_PASSWORD/);
  });

  it('has what a variable overrides', async () => {
    const { rows } = await load([], { ...ENV, DIGITALOCEAN_API_URL: 'http://127.0.0.1:8080/v2' });
    expect(rows.find(({ key }) => key === 'api_url')).toEqual({
      key: 'api_url',
      value: 'http://127.0.0.1:8080/v2',
      from: '$DIGITALOCEAN_API_URL of the environment',
    });
  });
});
