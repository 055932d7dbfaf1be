/** A layer that names a service which the compose files do not have. */

import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { WorkingTree } from '../../src/config/file-tree.js';
import { Secret } from '../../src/config/secret.js';
import { layerReader } from '../../src/layers/read-layers.js';
import { createProject, deployYml, load, problemsOf } from './project-folder.js';

const readLayers = layerReader((value) => new Secret(value), systemClock);
const APP = 'services:\n  app: { image: a }\n  sidekiq: { image: a }\n';
const MIGRATE = ['layers:', '  migrate:', '    service: ap', '    command: x'];

function project(files: Record<string, string>, ...lines: string[]): string {
  return createProject({ 'config/deploy.yml': deployYml(...lines), 'compose/docker-compose.yml': APP, ...files });
}

describe('the service of migrate', () => {
  it('is a problem with its line when no compose file has it', async () => {
    expect(await problemsOf(project({}, ...MIGRATE), { readLayers })).toEqual([
      'config/deploy.yml:5: layers.migrate.service: the service ap is in no compose file; did you mean app?',
    ]);
    const other = project({}, 'layers: { migrate: { service: database, command: x } }', 'keep_releases: none');
    expect(await problemsOf(other, { readLayers })).toEqual([
      'config/deploy.yml:3: layers.migrate.service: the service database is in no compose file; the services are app and sidekiq',
      expect.stringContaining('config/deploy.yml:4: keep_releases'),
    ]);
  });

  it('may be in any of the files', async () => {
    const files = { 'compose/docker-compose.test.yml': 'services: { ap: { image: b } }' };
    expect(await problemsOf(project(files, ...MIGRATE), { readLayers })).toEqual([]);
  });

  it('may have profiles: it is only run in a one-off container', async () => {
    const files = { 'compose/docker-compose.test.yml': 'services: { ap: { image: b, profiles: [tools] } }' };
    expect(await problemsOf(project(files, ...MIGRATE), { readLayers })).toEqual([]);
  });

  it.each([
    ['includes others', 'include: [x.yml]\nservices: { app: { image: a } }'],
    ['has a merge key', 'x: &x { ap: { image: a } }\nservices: { <<: *x }'],
    ['has a tag of compose', 'services: { app: { image: !reset null } }'],
    ['is no YAML', 'services: ['],
  ])('is left to compose when a file %s', async (_, text) => {
    expect(await problemsOf(project({ 'compose/docker-compose.yml': text }, ...MIGRATE), { readLayers })).toEqual([]);
  });

  it('is not looked for in commands that need no files', async () => {
    expect(await problemsOf(project({}, ...MIGRATE), { readLayers, needs: 'fleet' })).toEqual([]);
  });
});

describe('a service of workers', () => {
  it.each([
    ['["80:80"]', true],
    ['["0.0.0.0:80:80"]', true],
    ['[80]', true],
    ['[{ target: 80, published: 80 }]', true],
    ['["127.0.0.1:9394:9394"]', false],
    ['[{ target: 80, host_ip: 127.0.0.1 }]', false],
    ['[]', false],
  ])('with the ports %s: refused with its line: %s', async (ports, isRefused) => {
    const files = { 'compose/docker-compose.test.yml': `services: { sidekiq: { ports: ${ports} } }` };
    const lines = ['layers:', '  workers:', '    services: [app, sidekiq]'];
    const problem =
      'config/deploy.yml:5: layers.workers.services[1]: the service sidekiq has published ports: it would be stopped while the droplet still serves; take sidekiq out of layers.workers.services, or remove `ports:` from the service';
    expect(await problemsOf(project(files, ...lines), { readLayers })).toEqual(isRefused ? [problem] : []);
  });

  const workers = 'layers: { workers: { services: [sidekiq, sidekick] } }';
  const problem =
    'config/deploy.yml:3: layers.workers.services[1]: the service sidekick is in no compose file; did you mean sidekiq?';

  it('is a problem with its line when no compose file has it', async () => {
    expect(await problemsOf(project({}, workers), { readLayers })).toEqual([problem]);
  });

  it('may be missing in an earlier version of the files: a warning', async () => {
    const openTree = (root: string) => new WorkingTree(root);
    const { warnings } = await load(project({}, workers), { readLayers, openTree });
    expect(warnings).toEqual([problem]);
  });

  it('is never started when its profiles are off: a problem, unless an env file chooses some', async () => {
    const files = { 'compose/docker-compose.test.yml': 'services: { jobs: { image: b, profiles: [tools] } }' };
    const jobs = 'layers: { workers: { services: [jobs] } }';
    expect(await problemsOf(project(files, jobs), { readLayers })).toEqual([
      'config/deploy.yml:3: layers.workers.services[0]: the service jobs has profiles, so a release does not have it; remove `profiles:` from the service jobs, or turn one on: `profiles: [tools]`',
    ]);
    const chosen = { ...files, 'config/.env.test': 'COMPOSE_PROFILES=tools\n' };
    expect(await problemsOf(project(chosen, jobs, 'files: [config/.env.test]'), { readLayers })).toEqual([]);
  });

  it.each(['profiles: ["$PROFILE"]', 'extends: base, profiles: [tools]'])(
    'is left to compose with %s',
    async (keys) => {
      const files = { 'compose/docker-compose.test.yml': `services: { jobs: { image: b, ${keys} } }` };
      const jobs = 'layers: { workers: { services: [jobs] } }';
      expect(await problemsOf(project(files, jobs), { readLayers })).toEqual([]);
    },
  );
});

describe('profiles that are on', () => {
  const files = {
    'compose/docker-compose.test.yml':
      'services:\n  jobs: { image: b, profiles: [worker, batch] }\n  web: { image: b, profiles: [web] }\n',
  };
  const workers = 'layers: { workers: { services: [jobs] } }';

  it('are resolved without repetitions, and in no order of their own', async () => {
    expect((await load(project(files, 'profiles: [web, batch, web]'))).profiles).toEqual(['batch', 'web']);
    expect((await load(project(files))).profiles).toBeUndefined();
    expect((await load(project(files, 'profiles: []'))).profiles).toBeUndefined();
  });

  it('of an environment replace those of the top level', async () => {
    const text = 'app: shop\nprofiles: [web]\nenvironments: { test: { load_balancer: web, profiles: [worker] } }\n';
    const root = createProject({ 'config/deploy.yml': text, 'compose/docker-compose.yml': APP, ...files });
    expect((await load(root)).profiles).toEqual(['worker']);
  });

  it('are refused with their line when no service has them', async () => {
    expect(await problemsOf(project(files, 'profiles:', '  - web', '  - wroker', '  - nightly'))).toEqual([
      'config/deploy.yml:5: profiles[1]: no service of the compose files has the profile wroker; did you mean worker?',
      'config/deploy.yml:6: profiles[2]: no service of the compose files has the profile nightly; the profiles are worker, batch and web',
    ]);
    expect(await problemsOf(project({}, 'profiles: [web]'))).toEqual([
      'config/deploy.yml:3: profiles[0]: no service of the compose files has the profile web; add `profiles: [web]` to a service, or remove it',
    ]);
  });

  it.each([
    ['holds a variable', 'services: { jobs: { image: b, profiles: ["$PROFILE"] } }'],
    ['extends another service', 'services: { jobs: { extends: { file: x.yml, service: y } } }'],
    ['is no list', 'services: { jobs: { image: b, profiles: worker } }'],
  ])('are left to compose where a service %s', async (_, text) => {
    const root = project({ 'compose/docker-compose.test.yml': text }, 'profiles: [any]');
    expect(await problemsOf(root)).toEqual([]);
  });

  it.each(['"a b"', '-a', '"*"', '1'])('have names that compose takes: not %s', async (name) => {
    const [problem, ...others] = await problemsOf(project(files, `profiles: [${name}]`));
    expect([problem, others]).toEqual([expect.stringContaining("must be a compose profile's name"), []]);
  });

  it('make their services part of the release: a layer may name these, and others not', async () => {
    expect(await problemsOf(project(files, 'profiles: [batch]', workers), { readLayers })).toEqual([]);
    const env = { ...files, 'config/.env.test': 'COMPOSE_PROFILES=worker\n' };
    const root = project(env, 'profiles: [web]', workers, 'files: [config/.env.test]');
    expect(await problemsOf(root, { readLayers }), 'an env file does not count beside the setting').toEqual([
      expect.stringContaining('the service jobs has profiles'),
    ]);
  });
});
