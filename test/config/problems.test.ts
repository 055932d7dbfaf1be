import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/problems.js';
import { DeployError } from '../../src/errors.js';
import { COMPOSE, createProject, deployYml, load, problemsIn, problemsOf } from './project-folder.js';

describe('a problem in config/deploy.yml', () => {
  // The line added to a file that is right, at line 3; what the user reads.
  it.each([
    ['rolout: { batch: 1 }', 'unknown key rolout; did you mean rollout?'],
    ['rollout: { bach: 1 }', 'unknown key rollout.bach; did you mean batch?'],
    ['drain: { timeout: 30s }', 'unknown key drain; it belongs under rollout'],
    ['droplet: 1', 'unknown key droplet; it belongs under an environment'],
    ['rollout: { drain: { xyz: 1 } }', 'unknown key rollout.drain.xyz; known here: timeout'],
    [
      'rollout: { drain: { timeout: 30 } }',
      'rollout.drain.timeout must be a duration with its unit: ms, s, m or h; write `30s`',
    ],
    [
      'rollout: { drain: { timeout: 1 day } }',
      'rollout.drain.timeout must be a duration with its unit: ms, s, m or h; write `timeout: 30s`',
    ],
    ['rollout: { health: { timeout: 100ms } }', 'rollout.health.timeout must be at least 1s; write `timeout: 2m`'],
    [
      'rollout: { probe: "https://me:pass@shop.example.com" }',
      'rollout.probe must be an address that begins with http:// or https://, without a user name; write `probe: https://shop.example.com/healthz`',
    ],
    ['rollout: { gates: [{ command: x }] }', 'rollout.gates[0] has no name; write `name: errors` in it'],
    [
      'rollout: { gates: [{ name: a, command: x, url: "https://a.example.com" }] }',
      'rollout.gates[0] has both command and url; write one of the two: `command: scripts/error-rate.sh`',
    ],
    [
      'rollout: { gates: [{ name: a }] }',
      'rollout.gates[0] has neither command nor url; write one of the two: `command: scripts/error-rate.sh`',
    ],
    [
      'rollout: { gates: [{ name: a, command: x }, { name: a, command: x }] }',
      'rollout.gates[1] has the name of an earlier gate; give each a name of its own',
    ],
    [
      'rollout: { gates: [{ name: a, command: x, expect: 200 }] }',
      'rollout.gates[0] expects a status of a command; remove `expect`',
    ],
    [
      'freeze: [{ from: "Fri 16:00", to: "Mon 8", timezone: UTC }]',
      'freeze[0].to must be a day and a time, such as "Fri 16:00" or "2026-12-23 18:00"; write `to: Mon 08:00`',
    ],
    [
      'freeze: [{ from: "Fri 16:00", to: "2026-12-23 18:00" }]',
      'freeze[0] has a day of the week and a date; write two days, or two dates',
    ],
    [
      'freeze: [{ from: "2026-12-24 18:00", to: "2026-12-23 18:00" }]',
      'freeze[0] ends before it begins; exchange the two',
    ],
    [
      'freeze: [{ from: "Fri 16:00", to: "Fri 16:00" }]',
      'freeze[0] ends where it begins; write another time in one of the two',
    ],
    [
      'freeze: [{ from: "2026-02-30 18:00", to: "2026-03-02 08:00" }]',
      'freeze[0].from is a date that does not exist; write `from: 2026-02-28 18:00`',
    ],
    [
      'freeze: [{ from: "Fri 16:00", to: "Mon 08:00", timezone: Paris }]',
      'freeze[0].timezone must be a time zone, such as Europe/Paris; write `timezone: Europe/Paris`',
    ],
    [
      'freeze: [{ from: "Fri 16:00", to: "Mon 08:00", timezone: new york }]',
      'freeze[0].timezone must be a time zone, such as Europe/Paris; write `timezone: America/New_York`',
    ],
    [
      'rollout: { probe: shop.example.org/up }',
      'rollout.probe must be an address that begins with https:// or http://, false, or a map with url, interval, timeout, max_failures and expect; write `probe: https://shop.example.org/up`',
    ],
    [
      'rollout: { probe: { url: shop.example.org } }',
      'rollout.probe.url must be an address that begins with http:// or https://, without a user name; write `url: https://shop.example.org`',
    ],
    [
      'rollout: { probe: { url: "https://shop.example.org", timeout: 0s } }',
      'rollout.probe.timeout must be at least 100ms; write `timeout: 5s`',
    ],
    ['rollout: { interrupt_grace: 25h }', 'rollout.interrupt_grace must be at most 24h; write `interrupt_grace: 60s`'],
    [
      'rollout: { batch: 0 }',
      'rollout.batch must be a number of droplets, a percentage, all, or a list of these; write `batch: 1`',
    ],
    [
      'rollout: { batch: 101% }',
      'rollout.batch must be a number of droplets, a percentage, all, or a list of these; write `batch: 1`',
    ],
    [
      'rollout: { batch: [] }',
      'rollout.batch must be a number of droplets, a percentage, all, or a list of these; write `batch: 1`',
    ],
    [
      'rollout: { min_in_rotation: 0 }',
      'rollout.min_in_rotation must be a whole number from 1; write `min_in_rotation: 2`',
    ],
    [
      'rollout: { on_failure: retry }',
      'rollout.on_failure must be revert-droplet, revert-fleet or stop; write `on_failure: revert-droplet`',
    ],
    [
      'keep_releases: 1',
      'keep_releases must be a whole number from 2: the running release, and one to go back to; write `keep_releases: 5`',
    ],
    ['rollout: fast', 'rollout must be a map of keys and values; see the configuration reference'],
    ['ssh: { port: 99999 }', 'ssh.port must be a port number; write `port: 22`'],
    ['ssh: { port: "99999" }', 'ssh.port must be a port number; write `port: 22`'],
    ['ssh: { user: }', 'ssh.user is empty; write `user: root`, or remove the line'],
    ['ssh: { key: ~/nowhere }', 'ssh.key: ~/nowhere does not exist; correct the path'],
    ['ssh: { config: nowhere }', 'ssh.config: nowhere does not exist; correct the path'],
    ['confirm: yes', 'confirm must be true or false; write `confirm: true`'],
    [
      'image_tag: 1.10',
      "image_tag must be an image's tag (letters a-z, digits and . _ -), in quotes if it looks like a number; put quotes around it",
    ],
    [
      'api_url: http://api.example.com',
      'api_url must be an https:// address (http:// only for this machine); write `api_url: https://api.digitalocean.com/v2`',
    ],
    [
      'compose: docker-compose.yml',
      "compose must be a list of paths, or a map with files and build; write `compose: [compose/docker-compose.yml, 'compose/docker-compose.{environment}.yml']`",
    ],
    ['compose: [compose/nothing.yml?]', 'none of the compose files exists; create one, and list it without a ?'],
    ['registry: { username: me }', 'registry has no password; write `password: $DOCKER_PASSWORD` below it'],
    [
      'registry: { username: me, password: 123456 }',
      'registry.password must be text, in quotes if it is a number; put quotes around it',
    ],
    [
      'registry: { digitalocean: acme, username: me }',
      'registry has digitalocean and username; keep digitalocean alone: its login is made from the token',
    ],
    ['app: again', 'app is defined twice; keep one of the two'],
  ])('%s', async (line, problem) => {
    expect(await problemsIn(deployYml(line))).toEqual([`config/deploy.yml:3: ${problem}`]);
  });

  it.each([
    [
      'app: shop',
      [
        'config/deploy.yml:1: environments is missing; write `environments: { production: { load_balancer: $LOAD_BALANCER } }`',
      ],
    ],
    ['environments: { test: { droplet: 1 } }', ['config/deploy.yml:1: app is missing; write `app: shop`']],
    [
      'app: Shop\nenvironments: { test: { droplet: 1 } }',
      [
        'config/deploy.yml:1: app must be lower-case letters a-z, digits, - and _, and begin with a letter or digit; write `app: shop`',
      ],
    ],
    [
      'app: shop\nenvironments:\n  test: {}',
      [
        'config/deploy.yml:3: environments.test names no droplets; write `load_balancer: NAME`, `droplet: ID`, `droplets: [ID, ID]` or `tag: NAME` below it',
      ],
    ],
    [
      'app: shop\nenvironments:\n  test:\n    droplet: 1\n    load_balancer: web',
      ['config/deploy.yml:4: environments.test has both load_balancer and droplet; keep one of the two'],
    ],
    [
      'app: shop\nenvironments:\n  test:\n    droplet: 1\n    autoscale_pool: web-pool',
      [
        'config/deploy.yml:5: environments.test has an autoscale_pool, but no load_balancer to put its droplets behind; write `load_balancer: NAME` beside it, or remove it',
      ],
    ],
    [
      'app: shop\nenvironments:\n  test:\n    droplet: web-1',
      [
        "config/deploy.yml:4: environments.test.droplet must be a droplet's id, a number; write `droplet: $STAGING_DROPLET_ID`",
      ],
    ],
    [
      'app: shop\nenvironments:\n  test: { droplet: 1 }\n  Test_2: { droplet: 1 }',
      [
        'config/deploy.yml:4: environments.Test_2 must be lower-case letters a-z, digits and -, and begin with a letter or digit; write `test-2:`',
      ],
    ],
    [
      'app: shop\nenvironments:\n  test: { droplet: 1 }\n  status: { droplet: 2 }',
      ['config/deploy.yml:4: environments.status has the name of a command; give it another name'],
    ],
    [
      'app: shop\nenvironments:\n  test:',
      ['config/deploy.yml:3: environments.test is empty; see the configuration reference, or remove the line'],
    ],
    [
      'just text',
      ['config/deploy.yml:1: config/deploy.yml must be a map of keys and values; see the configuration reference'],
    ],
  ])('%s', async (yaml, problems) => {
    expect(await problemsIn(yaml)).toEqual(problems);
  });

  it('of a merge key is reported, and nothing that only follows from it', async () => {
    const yaml =
      'app: shop\nssh: &a { user: ann }\nenvironments:\n  test:\n    <<: *a\n  other: { <<: *a, droplet: 1 }\n';
    const problem = 'merge keys (<<) are not supported';
    const remedy = 'write its keys out; settings that environments share can stand at the top level';
    expect(await problemsIn(yaml)).toEqual([
      `config/deploy.yml:5: ${problem}; ${remedy}`,
      `config/deploy.yml:6: ${problem}; ${remedy}`,
    ]);
  });

  it('is reported in every environment, whichever is deployed', async () => {
    const yaml =
      'app: shop\nenvironments:\n  test: { droplet: 1 }\n  other: { droplet: 2, rollout: { batch: none } }\n';
    expect(await problemsIn(yaml)).toEqual([
      'config/deploy.yml:4: environments.other.rollout.batch must be a number of droplets, a percentage, all, or a list of these; write `batch: 1`',
    ]);
  });

  it('does not hide the others: all are reported together, by line', async () => {
    const yaml = `app: Shop
rolout: { batch: 1 }
registry: { username: $WHO, password: x }
ssh: { port: no }
compose: [compose/nothing.yml]
environments:
  test: { load_balancer: $WHICH }
`;
    const places = (await problemsIn(yaml, { env: { DO_TOKEN: '' } })).map((problem) =>
      problem.split(' ').slice(0, 3).join(' '),
    );
    expect(places).toEqual([
      'config/deploy.yml:1: app must',
      'config/deploy.yml:2: unknown key',
      'config/deploy.yml:3: $WHO is',
      'config/deploy.yml:4: ssh.port must',
      'config/deploy.yml:5: compose/nothing.yml does',
      'config/deploy.yml:7: $WHICH is',
      'DO_TOKEN: the token',
    ]);
  });

  it('is one error of the user, with a stable code', async () => {
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml('rolout: 1', 'batch: 1') });
    const error = await thrownBy(() => load(root));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ code: 'config', source: 'user', message: 'config/deploy.yml has 2 problems.' });
  });
});

describe('an unknown environment', () => {
  it('names the known ones, and the one that was meant', async () => {
    const yaml = 'app: shop\nenvironments: { staging: { droplet: 1 }, production: { load_balancer: web } }\n';
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': yaml });
    expect(await thrownBy(() => load(root, { environment: 'prodution' }))).toMatchObject({
      code: 'unknown-environment',
      source: 'user',
      message: 'There is no environment "prodution" in config/deploy.yml.',
      hint: 'did you mean production? known: staging and production; do-deploy --help lists the commands',
    });
    expect((await thrownBy(() => load(root, { environment: 'toString' }))).code).toBe('unknown-environment');
  });
});

describe('a credential', () => {
  const root = () => createProject({ ...COMPOSE, 'config/deploy.yml': deployYml() });

  it('that is missing says where to get it', async () => {
    expect(await problemsOf(root(), { env: { DO_TOKEN: undefined } })).toEqual([
      'DO_TOKEN: the token for the DigitalOcean API is not set; create one at https://cloud.digitalocean.com/account/api/tokens; then set DO_TOKEN in the environment, or in config/.env (which is not uploaded)',
    ]);
  });

  it('that was copied badly is reported, and not shown', async () => {
    const problems = await problemsOf(root(), { env: { DO_TOKEN: 'dop_v1_a b', SSH_PRIVATE_KEY: 'c2VjcmV0' } });
    expect(problems).toEqual([
      'DO_TOKEN: contains a space, a line break or another character that no token has; copy it again',
      'SSH_PRIVATE_KEY: holds no private key; put the whole content of the private key file there, from its line -----BEGIN to its line -----END',
    ]);
    expect(problems.join()).not.toMatch(/dop_v1|c2Vj/);
  });

  it('is never sent in the clear to another machine', async () => {
    expect(await problemsOf(root(), { env: { DIGITALOCEAN_API_URL: 'http://10.0.0.1/v2' } })).toEqual([
      'DIGITALOCEAN_API_URL: must be an https:// address (http:// only for this machine); for example https://api.digitalocean.com/v2',
    ]);
  });

  it.each([
    'http://localhost:@api.example.com/',
    'http://localhost@api.example.com/',
    'http://127.0.0.1:80@api.example.com/',
    'http://[::1]:@api.example.com/v2',
    'http://localhost:80\\\\@api.example.com/',
    'http://localhost/@api.example.com/',
    'http://localhost#@api.example.com/',
    'http://localhost.api.example.com/',
    'http://127.0.0.1.api.example.com/',
    'http://localhost:99999/',
    'https://ann:word@api.example.com/',
    'https://@api.example.com/',
    'https://api.example.com/?a=b',
    'https://',
    'ftp://localhost/',
  ])('is not sent to %s', async (url) => {
    const [problem, ...others] = await problemsOf(root(), { env: { DIGITALOCEAN_API_URL: url } });
    expect(others).toEqual([]);
    expect(problem).toMatch(/^DIGITALOCEAN_API_URL: must (be an https:|not contain a user name)/);
    expect(await problemsIn(deployYml(`api_url: '${url}'`))).toHaveLength(1);
  });

  it.each([
    ['http://localhost:8080/v2/', 'http://localhost:8080/v2'],
    ['http://127.0.0.1:9', 'http://127.0.0.1:9'],
    ['http://[::1]:9/v2', 'http://[::1]:9/v2'],
    ['https://API.example.com:443/v2//', 'https://api.example.com/v2'],
  ])('is sent to %s, as every program reads that address', async (url, expected) => {
    expect((await load(root(), { env: { DIGITALOCEAN_API_URL: url } })).apiUrl).toBe(expected);
  });

  it('that is a whole private key is taken', async () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n';
    expect((await load(root(), { env: { SSH_PRIVATE_KEY: key } })).ssh.privateKey?.reveal()).toBe(key);
  });
});

it('--config without such a file is reported', async () => {
  const root = createProject(COMPOSE);
  expect(await problemsOf(root, { configPath: 'nowhere.yml' })).toEqual([
    'nowhere.yml: does not exist; give --config the path of an existing file',
  ]);
  expect(await problemsOf(root, { configPath: '' })).toEqual([
    '--config: is empty; give --config the path of an existing file',
  ]);
  expect(await problemsOf(root, { configPath: 'compose' })).toEqual([
    'compose: is a folder, not a file; name a regular file',
  ]);
});

async function thrownBy(action: () => Promise<unknown>): Promise<DeployError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof DeployError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
