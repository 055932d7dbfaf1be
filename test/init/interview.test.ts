import { describe, expect, it } from 'vitest';
import { CloudError } from '../../src/errors.js';
import type { Given } from '../../src/init/given.js';
import { type Account, interview } from '../../src/init/interview.js';
import type { LoadBalancer } from '../../src/ports.js';
import { aBalancer } from '../support/fake-cloud.js';
import { aSurvey } from './folder.js';
import { CTRL_C, type Scripted, ScriptedPrompts } from './scripted-prompts.js';

const NOTHING: Given = { targets: new Map() };
const REST: Scripted[] = [['images', 'public']];

function anAccount(balancers: LoadBalancer[] | Error, hasToken = true) {
  const told: string[] = [];
  const tokens: (string | undefined)[] = [];
  const account: Account = {
    hasToken,
    tell: (text) => told.push(text),
    async listLoadBalancers(token) {
      tokens.push(token?.reveal());
      if (balancers instanceof Error) throw balancers;
      return balancers;
    },
  };
  return { account, told, tokens };
}

async function answersTo(
  script: Scripted[],
  { given = NOTHING, files = { 'compose.yaml': '' }, account = anAccount([aBalancer()]).account } = {},
) {
  const prompts = new ScriptedPrompts(...script);
  const answers = await interview(prompts, given, aSurvey(files), account);
  prompts.expectDone();
  return { answers, prompts };
}

describe('the interview', () => {
  it('asks for everything that the folder does not answer', async () => {
    const { answers } = await answersTo([
      ['called', ''],
      ['environments', ['staging', 'production']],
      ['droplets of staging', 'single'],
      ['Type its id', '3164494'],
      ['droplets of production', 'behind'],
      ['load balancer is that of production', 'web'],
      ['images', 'Docker Hub'],
    ]);
    expect(answers).toEqual({
      app: 'shop',
      targets: new Map([
        ['staging', { droplet: '3164494' }],
        ['production', { load_balancer: 'web' }],
      ]),
      compose: ['compose.yaml'],
      files: [],
      registry: { server: 'docker.io' },
    });
  });

  it('does not ask for what the options answer', async () => {
    const given: Given = {
      app: 'blog',
      targets: new Map([['production', { tag: 'web' }]]),
      compose: ['x.yaml'],
      files: [],
      ci: 'none',
    };
    const { answers } = await answersTo(
      [
        ['images', "DigitalOcean's"],
        ['registry called', 'acme'],
      ],
      { given },
    );
    expect(answers).toEqual({
      app: 'blog',
      targets: given.targets,
      compose: ['x.yaml'],
      files: [],
      registry: { digitalocean: 'acme' },
    });
  });

  it('offers several compose files, the files to upload, and the workflow', async () => {
    const files = { 'compose.yaml': '', 'docker-compose.yml': '', '.env.production': '', 'config/nginx/x': '' };
    const given: Given = { ...NOTHING, app: 'shop', targets: new Map([['production', { tag: 'web' }]]) };
    const prompts = new ScriptedPrompts(['Which compose', 'docker-compose.yml'], ['uploaded', ['nginx']], ...REST, [
      'GitHub Actions',
      true,
    ]);
    const answers = await interview(prompts, given, aSurvey(files, { ci: 'github' }), anAccount([]).account);
    prompts.expectDone();
    expect(answers).toMatchObject({ compose: ['docker-compose.yml'], files: ['config/nginx/'], ci: 'github' });
  });

  it('ends at Ctrl-C', async () => {
    await expect(answersTo([['called', CTRL_C]])).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('the load balancer', () => {
  const given: Given = { ...NOTHING, app: 'shop', registry: 'none', ci: 'none' };
  const start: Scripted[] = [
    ['environments', ''],
    ['droplets of production', 'behind'],
  ];
  const target = async (script: Scripted[], balancers: LoadBalancer[] | Error) => {
    const { account, told } = anAccount(balancers);
    const { answers, prompts } = await answersTo([...start, ...script], { given, account });
    return { target: answers.targets.get('production'), told, offered: [...prompts.offered.values()].at(-1) };
  };

  it('is one of the account, by its name; those without droplets of their own are not offered', async () => {
    const balancers = [
      aBalancer(),
      aBalancer({ id: 'b', name: 'api', ip: '', dropletIds: [1] }),
      aBalancer({ name: 'edge', type: 'GLOBAL' }),
    ];
    expect(await target([['that of production', 'api']], balancers)).toEqual({
      target: { load_balancer: 'api' },
      told: [],
      offered: ['web (203.0.113.100, fra1, 3 droplets)', 'api (fra1, 1 droplet)', 'another one'],
    });
  });

  it.each([
    ['two have the name', [aBalancer({ id: 'id-1' }), aBalancer({ id: 'id-2' })]],
    ['another has the name for its id', [aBalancer({ id: 'id-1' }), aBalancer({ id: 'web', name: 'api' })]],
    ['its name is odd', [aBalancer({ id: 'id-1', name: 'web $HOME: "x"' })]],
  ])('is written by its id where %s', async (_, balancers) => {
    expect(await target([['that of production', 'web']], balancers)).toMatchObject({
      target: { load_balancer: 'id-1' },
    });
  });

  it.each([
    ['is another one', [aBalancer()], [['that of production', 'another'] as const], undefined],
    ['does not exist yet', [], [], 'no load balancer yet'],
    [
      'cannot be listed',
      new CloudError('unauthorized', 'not-applied', 'The token is wrong.'),
      [],
      'The token is wrong.',
    ],
  ])('is typed if it %s', async (_, balancers, script, told) => {
    const found = await target([...script, ['Type its name', 'later']], balancers);
    expect(found).toMatchObject({
      target: { load_balancer: 'later' },
      told: told ? [expect.stringContaining(told)] : [],
    });
  });

  it('is not hidden behind a bug', async () => {
    await expect(target([], new TypeError('x is undefined'))).rejects.toThrow('x is undefined');
  });
});

describe('the token', () => {
  const given: Given = { ...NOTHING, app: 'shop', registry: 'none', ci: 'none', targets: new Map() };
  const start: Scripted = ['environments', ''];
  const balancer: Scripted[] = [
    ['droplets of production', 'behind'],
    ['that of production', 'web'],
  ];

  it('is asked for if none is set, lists the balancers, and is stored only if the user says so', async () => {
    for (const isStored of [true, false]) {
      const { account, tokens } = anAccount([aBalancer()], false);
      const { answers } = await answersTo(
        [start, ['token', 'dop_v1_0123'], ['Write the token', isStored], ...balancer],
        { given, account },
      );
      expect(answers.token?.reveal()).toBe(isStored ? 'dop_v1_0123' : undefined);
      expect(tokens).toEqual(['dop_v1_0123']);
    }
  });

  it('is not stored where config/.env exists', async () => {
    const { account } = anAccount([aBalancer()], false);
    const files = { 'compose.yaml': '', 'config/.env': 'A=b' };
    const { answers } = await answersTo([start, ['token', 'dop_v1_0123'], ...balancer], { given, account, files });
    expect(answers.token).toBeUndefined();
  });

  it('can be left out: then the balancer is typed, and nothing is contacted', async () => {
    const { account, tokens } = anAccount([aBalancer()], false);
    await answersTo([start, ['token', ''], ['droplets of production', 'behind'], ['Type its name', 'web']], {
      given,
      account,
    });
    expect(tokens).toEqual([]);
  });
});
