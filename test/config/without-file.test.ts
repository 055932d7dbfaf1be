import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSettings } from '../../src/config/load.js';
import { COMPOSE, createProject, load, problemsOf } from './project-folder.js';

describe('without config/deploy.yml', () => {
  const ENV = { STAGING_DROPLET_ID: '3164494', DOCKER_USERNAME: 'me', DOCKER_PASSWORD: 'secret-word' };

  it("the variables alone make staging, and production on the account's only balancer", async () => {
    const root = createProject({
      ...COMPOSE,
      'compose/docker-compose.production.yml': '',
      'config/.env.common': '',
      'config/.env.production': '',
      'config/nginx/nginx.conf': '',
    });
    const production = await load(root, { environment: 'production', env: ENV });
    expect(production).toMatchObject({
      target: { kind: 'load_balancer' },
      composeFiles: ['compose/docker-compose.yml', 'compose/docker-compose.production.yml'],
      envFiles: ['config/.env.common', 'config/.env.production'],
      registry: { server: 'docker.io', username: 'me' },
      confirm: true,
    });
    expect(production.target).toEqual({ kind: 'load_balancer' });
    expect(production.files.map(({ path }) => path)).toContain('config/nginx/nginx.conf');

    const staging = await load(root, { environment: 'staging', env: ENV });
    expect(staging.target).toEqual({ kind: 'droplet', id: 3164494 });
    expect(staging.envFiles).toEqual(['config/.env.common']);
  });

  it('LOAD_BALANCER chooses among several balancers, and the registry may be missing', async () => {
    const settings = await load(createProject(COMPOSE), { environment: 'production', env: { LOAD_BALANCER: 'web' } });
    expect(settings.target).toEqual({ kind: 'load_balancer', ref: 'web' });
    expect(settings.registry).toBeUndefined();
  });

  it('files are also found under the same names at the root', async () => {
    const root = createProject({
      'docker-compose.yml': '',
      'docker-compose.production.yml': '',
      '.env.production': '',
    });
    expect(await load(root, { environment: 'production' })).toMatchObject({
      composeFiles: ['docker-compose.yml', 'docker-compose.production.yml'],
      envFiles: ['.env.production'],
    });
  });

  it("the app is named after the folder, by compose's rule", async () => {
    const root = createProject({ 'My Shop.v2/docker-compose.yml': '', '___/docker-compose.yml': '' });
    const appIn = async (folder: string) => (await load(join(root, folder), { environment: 'production' })).app;
    expect([await appIn('My Shop.v2'), await appIn('___')]).toEqual(['myshopv2', 'app']);
  });

  it('everything that is missing is reported in one run', async () => {
    const root = createProject({});
    const env = { DO_TOKEN: '', DOCKER_USERNAME: 'me' };
    expect(await problemsOf(root, { environment: 'staging', env })).toEqual([
      'DOCKER_PASSWORD: is not set, but DOCKER_USERNAME is; set DOCKER_PASSWORD in the environment, or in config/.env (which is not uploaded)',
      'environment variables: $STAGING_DROPLET_ID is not set (for environments.staging.droplet); set STAGING_DROPLET_ID in the environment, or in config/.env (which is not uploaded)',
      'DO_TOKEN: the token for the DigitalOcean API is not set; create one at https://cloud.digitalocean.com/account/api/tokens; then set DO_TOKEN in the environment, or in config/.env (which is not uploaded)',
      `${root}: compose/docker-compose.yml does not exist; go to the project's folder, or name your files in a config/deploy.yml`,
    ]);
    await expect(loadSettings({ cwd: root, environment: 'staging', env })).rejects.toThrow(
      `no config/deploy.yml in ${root}`,
    );
  });

  it('other environments are not known', async () => {
    await expect(load(createProject(COMPOSE), { environment: 'test' })).rejects.toThrow(
      'There is no environment "test" without a config/deploy.yml.',
    );
  });
});
