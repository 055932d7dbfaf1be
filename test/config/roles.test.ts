/** Roles of an environment: each a target with profiles, a batch and a floor of its own. */
import { describe, expect, it } from 'vitest';
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
