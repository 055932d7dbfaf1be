/** Roles of an environment: each a target with profiles, a batch and a floor of its own. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { Secret } from '../../src/config/secret.js';
import { settingsOfRoles } from '../../src/deploy/fleet/role-settings.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { createProject, load, problemsOf } from './project-folder.js';

const COMPOSE =
  'services:\n  app: { image: a, profiles: [web] }\n  jobs: { image: a, profiles: [worker] }\n  db: { image: b }\n';

const project = (roles: string, more = '') =>
  createProject({
    'compose/docker-compose.yml': COMPOSE,
    'config/deploy.yml': `app: shop\nenvironments:\n  test:\n    roles:\n${roles}${more}`,
  });

const BOTH =
  '      web:    { load_balancer: web,  profiles: [web] }\n      worker: { tag: shop-worker,    profiles: [worker], batch: 50% }\n';

describe('roles', () => {
  it('are read in the order in which they are written', async () => {
    const { roles, target } = await load(project(BOTH));
    expect(roles).toEqual([
      { name: 'web', target: { kind: 'load_balancer', ref: 'web' }, profiles: ['web'] },
      { name: 'worker', target: { kind: 'tag', tag: 'shop-worker' }, profiles: ['worker'], batch: ['50%'] },
    ]);
    expect(target).toEqual(roles?.[0]?.target);
    const lists = '      b: { droplets: [101, w-2], min_in_rotation: 1 }\n      a: { droplet: 7 }\n';
    expect((await load(project(lists))).roles).toEqual([
      { name: 'b', target: { kind: 'droplets', droplets: [101, 'w-2'] }, minInRotation: 1 },
      { name: 'a', target: { kind: 'droplet', id: 7 } },
    ]);
  });

  it('an environment without them has none', async () => {
    const root = createProject({
      'compose/docker-compose.yml': COMPOSE,
      'config/deploy.yml': 'app: shop\nenvironments: { test: { tag: x } }\n',
    });
    expect((await load(root)).roles).toBeUndefined();
  });

  const at = 'config/deploy.yml:5: environments.test.roles.web';
  it.each([
    [
      'web: { profiles: [web] }',
      [
        `${at} names no droplets; write \`load_balancer: NAME\`, \`droplet: ID\`, \`droplets: [ID, ID]\` or \`tag: NAME\` below it`,
      ],
    ],
    ['web: { tag: a, droplet: 1 }', [`${at} has both droplet and tag; keep one of the two`]],
    [
      'web: { tag: a, profiles: [wep] }',
      [
        'config/deploy.yml:5: roles.web.profiles[0]: no service of the compose files has the profile wep; did you mean web?',
      ],
    ],
    [
      'web: { tag: a }\n      worker: { tag: a }',
      [
        'config/deploy.yml:6: environments.test.roles.worker has the same tag as the role web; a droplet has one role: give each its own droplets',
      ],
    ],
    [
      'web: { tag: a, batsh: 1 }',
      [`config/deploy.yml:5: unknown key environments.test.roles.web.batsh; did you mean batch?`],
    ],
  ])('%s is a problem', async (role, problems) => {
    expect(await problemsOf(project(`      ${role}\n`))).toEqual(problems);
  });

  it('stand for a target, and have names that fit into tags', async () => {
    expect(await problemsOf(project(BOTH, '    tag: x\n'))).toEqual(
      ['config/deploy.yml:7: environments.test has both tag and roles; keep one of the two'].map((line) =>
        expect.stringMatching(line.replace(/^config\/deploy.yml:7/, '^config/deploy.yml:\\d+')),
      ),
    );
    const [problem] = await problemsOf(project('      "Web 1": { tag: a }\n'));
    expect(problem).toContain('roles');
    expect((await problemsOf(project('      {}\n'))).join()).toContain('has no roles; name at least one');
  });
});

describe('files and env of a role', () => {
  const files = {
    'compose/docker-compose.yml':
      'services:\n  app: { image: a, profiles: [web] }\n  jobs: { image: a, profiles: [worker], environment: { QUEUE: $QUEUE } }\n',
    'config/.env.common': 'LEVEL=info\nPOOL=5\n',
    'config/.env.worker': 'LEVEL=debug\nQUEUE=mail\nDB_PASSWORD=hunter2-of-the-worker\n',
  };
  const withRoles = (web: string, worker: string, more = '') =>
    createProject({
      ...files,
      'config/deploy.yml': `app: shop
files: [config/.env.common]
${more}environments:
  test:
    roles:
      web:    { load_balancer: web, ${web} }
      worker: { tag: shop-worker, ${worker} }
`,
    });
  const paths = (settings: { files: { path: string }[] }) => settings.files.map(({ path }) => path);

  it('come after those of the environment, and are sent to that role only', async () => {
    const settings = await load(withRoles('profiles: [web]', 'files: [config/.env.worker]'));
    const [web, worker] = settingsOfRoles(settings);
    expect(web?.envFiles).toEqual(['config/.env.common']);
    expect(web && paths(web)).not.toContain('config/.env.worker');
    expect(worker?.envFiles).toEqual(['config/.env.common', 'config/.env.worker']);
    expect(worker && paths(worker)).toEqual(expect.arrayContaining(['config/.env.common', 'config/.env.worker']));
    expect(settings.secrets.map((secret) => secret.reveal())).toContain('hunter2-of-the-worker');
  });

  it('are declared for the role alone, over what the environment declares', async () => {
    const common = 'env: { POOL: { type: integer, min: 1, default: 3 }, LEVEL: { default: warn } }\n';
    const own = 'env: { POOL: { max: 10 }, QUEUE: { required: true } }, files: [config/.env.worker]';
    const settings = await load(withRoles('profiles: [web]', own, common));
    const [web, worker] = settingsOfRoles(settings);
    const values = (all: typeof web) =>
      Object.fromEntries(all?.variables?.map(({ name, value }) => [name, value.reveal()]) ?? []);
    expect(values(web)).toEqual({ POOL: '5', LEVEL: 'info' });
    expect(values(worker)).toEqual({ POOL: '5', LEVEL: 'debug', QUEUE: 'mail' });
  });

  it('may turn on the profiles of a service that a layer names', async () => {
    const root = withRoles(
      'batch: 1',
      'files: [config/.env.worker, config/.env.profiles]',
      'layers: { workers: { services: [jobs] } }\n',
    );
    writeFileSync(join(root, 'config/.env.profiles'), 'COMPOSE_PROFILES=worker\n');
    await expect(
      load(root, { readLayers: layerReader((value) => new Secret(value), systemClock) }),
    ).resolves.toBeDefined();
  });

  it('where each role has its own, nothing has to be complete without them', async () => {
    const root = withRoles(
      'files: [config/.env.worker]',
      'files: [config/.env.worker]',
      'env: { QUEUE: { required: true } }\n',
    );
    await expect(load(root)).resolves.toMatchObject({ roles: [{ name: 'web' }, { name: 'worker' }] });
  });

  it.each([
    [
      'files: [config/.env.wroker]',
      '',
      'config/deploy.yml:6: config/.env.wroker does not exist; create it, or write config/.env.wroker? if it is optional',
    ],
    ['files: config/.env.worker', '', 'config/deploy.yml:6: environments.test.roles.worker.files must be a list'],
    [
      'env: { QUEUE: { required: true } }',
      '',
      'config/deploy.yml:6: QUEUE is missing: no env file of the role worker sets it; write QUEUE=',
    ],
    ['env: { POOL: { max: 4 } }', 'env: { POOL: { type: integer } }\n', 'config/.env.common:2: POOL must be at most 4'],
    ['env: { POOL: { max: 4 } }', '', 'config/deploy.yml:6: roles.worker.env.POOL.max is not for type string'],
    ['env: { QUEUE: { type: enum } }', '', 'config/deploy.yml:6: roles.worker.env.QUEUE has no values'],
  ])('worker: { %s } with "%s" is a problem at its place', async (worker, common, problem) => {
    const found = await problemsOf(withRoles('profiles: [web]', worker, common));
    const line = common === '' ? problem : problem.replace('deploy.yml:6', 'deploy.yml:7');
    expect(found.map((one) => one.replace('deploy.yml:7', 'deploy.yml:6'))).toEqual([expect.stringContaining(line)]);
  });
});
