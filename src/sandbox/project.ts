/** The project that the sandbox deploys: this repository's example, with settings for the region. */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Region } from './region.js';

export interface SandboxProject {
  /** Where to run do-deploy. */
  folder: string;
  /** Settings for the first deploy, when nothing serves yet: all droplets in one batch. */
  firstConfig: string;
}

/** Writes the project into the region's folder. Replaces the project of an earlier region. */
export async function openProject(region: Region): Promise<SandboxProject> {
  const folder = join(region.folder, 'project');
  const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'config'), { recursive: true });
  await mkdir(join(folder, 'compose'));
  await cp(join(packageRoot, 'compose/docker-compose.yml'), join(folder, 'compose/docker-compose.yml'));
  await cp(join(packageRoot, 'config/nginx'), join(folder, 'config/nginx'), { recursive: true });
  await cp(join(packageRoot, 'scripts/start-up.sh'), join(folder, 'scripts/start-up.sh'));

  const write = (path: string, text: string, mode = 0o644) => writeFile(join(folder, path), text, { mode });
  // Healthchecks every 500 ms: too many for a real droplet, but they make the sandbox's deploys fast.
  await write('compose/docker-compose.sandbox.yml', QUICK_CHECKS);
  await write('compose/docker-compose.staging.yml', QUICK_CHECKS);
  await write('config/.env.common', 'APP_NAME=shop\n', 0o600);
  await write('config/.env.sandbox', 'SECRET_KEY=not-a-secret-in-the-sandbox\n', 0o600);
  await write('config/.env.staging', 'SECRET_KEY=not-a-secret-in-the-sandbox\n', 0o600);
  await write('config/.env', `DO_TOKEN=${region.api.token}\n`, 0o600);
  await write('config/deploy.yml', `# Written by do-deploy sandbox.\n${stringify(settings(region))}`);
  const first = { ...settings(region), rollout: { batch: 'all' } };
  await write('config/deploy.first.yml', `# For the first deploy: all droplets in one batch.\n${stringify(first)}`);
  return { folder, firstConfig: join(folder, 'config/deploy.first.yml') };
}

function settings(region: Region): Record<string, unknown> {
  return {
    app: 'shop',
    api_url: region.api.url,
    image_tag: 'v1',
    ssh: { user: 'root', config: region.sshConfigPath, host_keys: 'strict' },
    compose: ['compose/docker-compose.yml', 'compose/docker-compose.{environment}.yml?'],
    files: ['config/.env.common', 'config/.env.{environment}', 'config/nginx/'],
    environments: {
      sandbox: { load_balancer: region.balancerName },
      staging: { droplet: region.stagingDropletId },
    },
  };
}

const QUICK_CHECKS = `services:
  app:
    healthcheck: { interval: 500ms, start_period: 1s }
  nginx:
    healthcheck: { interval: 500ms, start_period: 1s }
`;
