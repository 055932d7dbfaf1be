/** Whatever is answered, the loader takes the file and reads the answers back. */
import { describe, expect, it } from 'vitest';
import type { Answers, RegistryAnswer, TargetAnswer } from '../../src/init/answers.js';
import { deployYml } from '../../src/init/deploy-yml.js';
import { createProject, load } from '../config/project-folder.js';

const COMPOSE = 'services: { web: { image: "a/b" } }\n';
const VARIABLES = { DOCKER_USERNAME: 'ann', DOCKER_PASSWORD: 'dckr_pat_0123', MY_BALANCER: 'web', MY_DROPLET: '12' };

const TARGETS: [TargetAnswer, object][] = [
  [{ load_balancer: 'web' }, { kind: 'load_balancer', ref: 'web' }],
  [{ load_balancer: '0123' }, { kind: 'load_balancer', ref: '0123' }],
  [{ load_balancer: 'no' }, { kind: 'load_balancer', ref: 'no' }],
  [{ load_balancer: 'a: {b}, [c] #d' }, { kind: 'load_balancer', ref: 'a: {b}, [c] #d' }],
  [{ load_balancer: 'it\'s $5 \\ "x"' }, { kind: 'load_balancer', ref: 'it\'s $5 \\ "x"' }],
  [{ load_balancer: 'a\u001b[2J\nb: c' }, { kind: 'load_balancer', ref: 'a\u001b[2J\nb: c' }],
  [{ load_balancer: '$MY_BALANCER' }, { kind: 'load_balancer', ref: 'web' }],
  [{ droplet: '3164494' }, { kind: 'droplet', id: 3164494 }],
  [{ droplet: '$MY_DROPLET' }, { kind: 'droplet', id: 12 }],
  [{ droplets: ['worker-1', '12', '$MY_DROPLET'] }, { kind: 'droplets', droplets: ['worker-1', 12] }],
  [{ tag: 'shop:workers' }, { kind: 'tag', tag: 'shop:workers' }],
  [{ tag: '42' }, { kind: 'tag', tag: '42' }],
];

const REGISTRIES: [RegistryAnswer, object | undefined][] = [
  ['none', undefined],
  [{ server: 'docker.io' }, { server: 'docker.io', username: 'ann' }],
  [{ server: 'registry.example.com:5000' }, { server: 'registry.example.com:5000', username: 'ann' }],
  [{ digitalocean: 'acme' }, { server: 'registry.digitalocean.com', digitalocean: 'acme' }],
];

const LAYOUTS: [Pick<Answers, 'compose' | 'files'>, string[]][] = [
  [{ compose: ['compose.yaml'], files: [] }, ['compose.yaml']],
  [
    { compose: ['docker-compose.yml', 'docker-compose.{environment}.yml?'], files: ['.env', '.env.{environment}?'] },
    ['docker-compose.yml', 'docker-compose.production.yml', '.env', '.env.production'],
  ],
  [
    { compose: ['compose/docker-compose.yml'], files: ['config/.env.{environment}', 'config/it is $1, [2]/'] },
    ['compose/docker-compose.yml', 'config/.env.production', 'config/.env.staging', 'config/it is $1, [2]/x'],
  ],
];

const ANSWERS = TARGETS.flatMap(([target, loaded]) =>
  REGISTRIES.flatMap(([registry, login]) =>
    LAYOUTS.map(([layout, paths]) => ({ target, loaded, registry, login, layout, paths })),
  ),
);

describe('config/deploy.yml', () => {
  it('passes the loader, for every combination of answers and both environments', async () => {
    expect(ANSWERS).toHaveLength(144);
    for (const { target, loaded, registry, login, layout, paths } of ANSWERS) {
      const targets = new Map([
        ['staging', { tag: 'other' }],
        ['production', target],
      ] as const);
      const text = deployYml({ app: 'shop-1', targets, registry, ...layout }, true);
      const files = Object.fromEntries(paths.map((path) => [path, path.endsWith('ml') ? COMPOSE : '']));
      const root = createProject({ ...files, 'config/deploy.yml': text });
      const settings = await load(root, { environment: 'production', env: VARIABLES });
      expect(settings, text).toMatchObject({ app: 'shop-1', target: loaded });
      if (login === undefined) expect(settings.registry, text).toBeUndefined();
      else expect(settings.registry, text).toMatchObject(login);
      expect(await load(root, { environment: 'staging', env: VARIABLES }), text).toMatchObject({
        target: { kind: 'tag', tag: 'other' },
      });
    }
  });

  it.each(['0123', 'true', 'null', '1e3', '0x10', 'on'])('takes %s for the name of an app', async (app) => {
    const targets = new Map([['production', { load_balancer: 'web' }]] as const);
    const text = deployYml({ app, targets, registry: 'none', compose: ['compose.yaml'], files: [] }, false);
    const root = createProject({ 'compose.yaml': COMPOSE, 'config/deploy.yml': text });
    expect(await load(root, { environment: 'production' })).toMatchObject({ app });
  });

  it('has only what was answered', () => {
    const targets = new Map([['production', { load_balancer: 'web' }]] as const);
    const answers = { app: 'shop', targets, registry: 'none', compose: ['compose.yaml'], files: [] } as const;
    expect(deployYml(answers, false)).toBe(`app: shop # compose project, and the folder on the droplets
compose: [compose.yaml]
environments:
  production: { load_balancer: web }
`);
    const more = {
      ...answers,
      files: ['.env', 'config/.env.{environment}?'],
      registry: { server: 'ghcr.io' },
    } as const;
    expect(
      deployYml(more, true),
    ).toBe(`# yaml-language-server: $schema=../node_modules/do-deploy/config/deploy.schema.json
app: shop # compose project, and the folder on the droplets
compose: [compose.yaml]
files: [.env, 'config/.env.{environment}?'] # uploaded with each release
# The login for private images; $NAME is a variable of config/.env or the environment.
registry: { server: ghcr.io, username: $DOCKER_USERNAME, password: $DOCKER_PASSWORD }
environments:
  production: { load_balancer: web }
`);
  });
});
