/** The project that the tests deploy: this repository's example, with the region's images and settings. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { REGISTRY } from './region.js';

export interface ProjectOptions {
  folder: string;
  apiUrl: string;
  token: string;
  balancer: string;
  sshConfig: string;
  user: string;
  /** Override the settings in config/deploy.yml. */
  settings?: Record<string, unknown>;
}

/** nginx.conf of the droplets: the app's pages under the paths that the load requests. */
export function nginxConf(headers = ''): string {
  return `events {}

http {
  access_log off;
  upstream app {
    server app:3000;
  }

  server {
    listen 80;
    ${headers}

    location = / { proxy_pass http://app/cgi-bin/page; }
    location = /slow { proxy_pass http://app/cgi-bin/slow; }
    location = /uploads { proxy_pass http://app/cgi-bin/uploads; }
    location = /healthz { proxy_pass http://app/healthz; }
  }
}
`;
}

export const SECRET_KEY = 'app-secret-4f1b9a';

export class Project {
  readonly folder: string;
  readonly #settings: Record<string, unknown>;

  private constructor(folder: string, settings: Record<string, unknown>) {
    this.folder = folder;
    this.#settings = settings;
  }

  static async write(options: ProjectOptions): Promise<Project> {
    const { folder } = options;
    const settings = {
      app: 'shop',
      api_url: options.apiUrl,
      image_tag: 'v1',
      ssh: { user: options.user, config: options.sshConfig, host_keys: 'strict' },
      compose: ['compose/docker-compose.yml', 'compose/docker-compose.{environment}.yml'],
      files: ['config/.env.common', 'config/.env.{environment}', 'config/nginx/'],
      environments: { production: { load_balancer: options.balancer } },
      ...options.settings,
    };
    const project = new Project(folder, settings);
    for (const part of ['compose/docker-compose.yml', 'scripts/start-up.sh']) {
      await cp(resolve(part), join(folder, part), { recursive: true });
    }
    await project.write('compose/docker-compose.production.yml', REAL_IMAGES);
    await project.write('config/nginx/nginx.conf', nginxConf());
    await project.write(
      'config/.env.common',
      `APP_NAME=shop\nAPP_IMAGE=${REGISTRY}/shop\nNGINX_IMAGE=${REGISTRY}/nginx:1\n`,
    );
    await project.write('config/.env.production', `SECRET_KEY=${SECRET_KEY}\n`, 0o600);
    await project.write('config/.env', `DO_TOKEN=${options.token}\n`, 0o600);
    await project.configure({});
    return project;
  }

  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const target = join(this.folder, path);
    await mkdir(join(target, '..'), { recursive: true });
    await writeFile(target, text, { mode });
  }

  /** Writes a configuration with another SSH user. */
  async writeFor(user: string, path: string): Promise<void> {
    const ssh = { ...(this.#settings.ssh as Record<string, unknown>), user };
    await this.write(path, stringify({ ...this.#settings, ssh }));
  }

  /** Rewrites config/deploy.yml, and at-once.yml for one batch: the initial settings, overridden by these. */
  async configure(settings: Record<string, unknown>): Promise<void> {
    const all: Record<string, unknown> = { ...this.#settings, ...settings };
    await this.write('config/deploy.yml', stringify(all));
    const rollout = { ...(all.rollout as object | undefined), batch: 'all' };
    await this.write('config/at-once.yml', stringify({ ...all, rollout }));
  }
}

/** A memory limit for the out-of-memory case, and frequent healthchecks, so that a deploy takes seconds. */
const REAL_IMAGES = `services:
  app:
    mem_limit: 128m
    healthcheck: { interval: 1s, retries: 6, start_period: 3s }
  nginx:
    image: \${NGINX_IMAGE}
    healthcheck: { interval: 1s, retries: 6, start_period: 1s }
`;
