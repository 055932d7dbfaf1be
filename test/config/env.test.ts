/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** `env:`: variables that a release needs, checked in its env files. */
import { describe, expect, it } from 'vitest';
import { createProject, deployYml, load, problemsOf } from './project-folder.js';

const COMPOSE = { 'compose/docker-compose.yml': 'services: {}\n' };

/** A project that declares `env` and has these env files. */
function project(env: string | string[], files: Record<string, string> = {}): string {
  const lines = typeof env === 'string' ? [`env: ${env}`] : ['env:', ...env.map((line) => `  ${line}`)];
  const inConfig = Object.entries(files).map(([name, text]) => [`config/${name}`, text]);
  return createProject({ ...COMPOSE, ...Object.fromEntries(inConfig), 'config/deploy.yml': deployYml(...lines) });
}

function contentOf(settings: Awaited<ReturnType<typeof load>>, path: string): string | undefined {
  return settings.files.find((file) => file.path === path)?.content?.toString();
}

describe('a declared variable', () => {
  it.each([
    ['string', 'any text', ''],
    ['integer', '10', 'many'],
    ['integer', '-3', '3.5'],
    ['number', '0.25', '1,5'],
    ['boolean', 'false', 'maybe'],
    ['boolean', 'On', '2'],
    ['url', 'https://shop.example/path?x=1', 'shop.example'],
    ['url', 'postgres://a,b:5432/shop', 'http://['],
  ])('of type %s takes %j and refuses %j', async (type, right, wrong) => {
    const declared = `{ VALUE: { type: ${type}, required: true } }`;
    await expect(load(project(declared, { '.env.test': `VALUE=${right}\n` }))).resolves.toBeDefined();
    const problems = await problemsOf(project(declared, { '.env.test': `# first\nVALUE=${wrong}\n` }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^config\/\.env\.test:2: VALUE (must be|is blank)/);
  });

  it.each([
    ['type: integer, min: 1', '0', 'must be at least 1'],
    ['type: number, max: 0.5', '0.6', 'must be at most 0.5'],
    ['type: enum, values: [a, b]', 'c', 'must be one of a, b'],
    ['type: enum, values: [1, 2]', '3', 'must be one of 1, 2'],
    [
      "pattern: '(a+)+'",
      `${'a'.repeat(60)}!`,
      'cannot be compared with its pattern within 1 s: write it without repetitions inside of repetitions',
    ],
    ["pattern: 'v\\d+'", 'xv1', 'does not match its pattern'],
    ['type: url, pattern: https://.*', 'http://shop.example', 'does not match its pattern'],
  ])('with { %s } refuses %j', async (rule, wrong, message) => {
    const root = project(`{ VALUE: { ${rule} } }`, { '.env.test': `VALUE=${wrong}\n` });
    const example = expect.stringMatching(`^config/\\.env\\.test:1: VALUE ${message}; for example VALUE=`);
    expect(await problemsOf(root)).toEqual([example]);
  });

  it('is reported with all others, without its value', async () => {
    const root = project(
      [
        'POOL: { type: integer, required: true, min: 1 }',
        'MODE: { type: enum, values: [fast, safe] }',
        'URL: { type: url, required: true }',
        'DB_PASSWORD: { required: true, pattern: "[a-z]+" }',
        'NAME: { required: true }',
      ],
      { '.env.common': 'MODE=s3cret-mode\nNAME=" "\n', '.env.test': 'POOL=s3cret-pool\nDB_PASSWORD=s3cret-password\n' },
    );
    const problems = await problemsOf(root);
    expect(problems).toEqual([
      'config/deploy.yml:6: URL is missing: no env file sets it; write URL=https://example.com in config/.env.test',
      'config/.env.test:1: POOL must be a whole number; for example POOL=1 (env: config/deploy.yml:4)',
      'config/.env.common:1: MODE must be one of fast, safe; for example MODE=fast (env: config/deploy.yml:5)',
      'config/.env.test:2: DB_PASSWORD does not match its pattern; for example DB_PASSWORD=VALUE (env: config/deploy.yml:7)',
      'config/.env.common:2: NAME is blank; write NAME=VALUE',
    ]);
    expect(problems.join()).not.toContain('s3cret');
  });

  it('has the value of the last env file, with what compose puts in its place', async () => {
    const files = { '.env.common': 'POOL=many\nBASE=4\n', '.env.test': 'POOL="${BASE}2" # of them\n' };
    const { variables } = await load(project('{ POOL: { type: integer, min: 42, max: 42 } }', files));
    expect(variables?.map(({ name, value, place }) => [name, value.reveal(), place])).toEqual([
      ['POOL', '42', 'config/.env.test:1'],
    ]);
  });

  it('may be blank or missing where it is optional text', async () => {
    const declared = '{ NOTE: {}, SIZE: { type: integer } }';
    await expect(load(project(declared, { '.env.test': 'NOTE=\n' }))).resolves.toBeDefined();
    expect(await problemsOf(project(declared, { '.env.test': 'SIZE=\n' }))).toEqual([
      'config/.env.test:1: SIZE is blank; write SIZE=10, or remove the line',
    ]);
  });

  it('is not judged where only the droplet knows its value', async () => {
    const text = 'WORKERS=$HOME\nVERSION=${IMAGE_TAG:-latest}\nNEXT=$WORKERS\n';
    const declared = '{ WORKERS: { type: integer }, VERSION: { type: integer }, NEXT: { type: integer } }';
    await expect(load(project(declared, { '.env.test': text }))).resolves.not.toHaveProperty('variables');
  });

  it('is merged for an environment', async () => {
    const root = createProject({
      ...COMPOSE,
      'config/.env.test': 'POOL=3\n',
      'config/deploy.yml': `app: shop
env: { POOL: { type: integer, min: 1 } }
environments:
  test: { load_balancer: web, env: { POOL: { min: 5 }, SIZE: { required: true } } }
`,
    });
    expect(await problemsOf(root)).toEqual([
      'config/deploy.yml:4: SIZE is missing: no env file sets it; write SIZE=VALUE in config/.env.test',
      'config/.env.test:1: POOL must be at least 5; for example POOL=5 (env: config/deploy.yml:4)',
    ]);
  });

  it('matters only to a deploy', async () => {
    const root = project('{ POOL: { type: integer, required: true } }');
    await expect(load(root, { needs: 'fleet' })).resolves.toBeDefined();
    await expect(load(root, { needs: 'images' })).resolves.toBeDefined();
  });
});

describe('one cause is one problem:', () => {
  const compose = { 'compose/docker-compose.yml': 'services: { app: { image: a, environment: { V: "${X:?}" } } }' };
  const problems = (env: string, file: string, files: Record<string, string> = compose) =>
    problemsOf(
      createProject({
        ...COMPOSE,
        ...files,
        'config/.env.test': file,
        'config/deploy.yml': deployYml('files: [config/.env.test]', `env: ${env}`),
      }),
    );

  it('a variable that is missing, declared and required by compose', async () => {
    expect(await problems('{ X: { required: true } }', 'A=1\n')).toEqual([
      'config/deploy.yml:4: X is missing: no env file sets it; write X=VALUE in config/.env.test',
    ]);
    expect(await problems('{ X: { type: integer } }', 'A=1\n')).toEqual([
      'compose/docker-compose.yml:1: X is required, and no env file sets it; write X=VALUE in config/.env.test',
    ]);
  });

  it('one that is blank', async () => {
    for (const required of [true, false]) {
      expect(await problems(`{ X: { type: integer, required: ${required} } }`, 'X=\n')).toEqual([
        'config/.env.test:1: X is blank; write X=10',
      ]);
    }
    expect(await problems('{ X: { type: string } }', 'X=\n')).toEqual([
      'compose/docker-compose.yml:1: X is required, and it is blank in config/.env.test:1; write X=VALUE in config/.env.test',
    ]);
  });

  it('one that another refers to', async () => {
    const missing = 'config/deploy.yml:4: Y is missing: no env file sets it; write Y=VALUE in config/.env.test';
    const both = '{ X: { required: true }, Y: { required: true } }';
    for (const env of [both, '{ Y: { required: true } }', '{ X: { type: integer }, Y: { required: true } }']) {
      expect(await problems(env, 'X=${Y}\n'), env).toEqual([missing]);
    }
    expect(await problems(both, 'X=${Z}\nY=1\n'), 'nothing else says so').toEqual([
      'config/.env.test:1: X is blank; write X=VALUE',
    ]);
  });
});

describe('a default', () => {
  it('reaches the droplets in a file before all others', async () => {
    const declared =
      '{ POOL: { type: integer, default: 5 }, MODE: { type: enum, values: [a, b], default: a }, T: { default: "it\'s $5" } }';
    const settings = await load(project(declared, { '.env.common': '', '.env.test': 'POOL=7\n' }));
    expect(settings.envFiles).toEqual(['.variables/defaults.env', 'config/.env.common', 'config/.env.test']);
    expect(contentOf(settings, '.variables/defaults.env')).toBe(
      `# Written by do-deploy: defaults of env:.\nMODE='a'\nPOOL='5'\nT="it's $$5"\n`,
    );
    expect(settings.files.find(({ path }) => path === '.variables/defaults.env')?.mode).toBe(0o600);
    expect(settings.variables?.map(({ name, value }) => [name, value.reveal()])).toEqual([
      ['POOL', '7'],
      ['MODE', 'a'],
      ['T', "it's $5"],
    ]);
  });

  it('is known to the env files that refer to it', async () => {
    const text = 'URL=https://$HOST_NAME/\n';
    const settings = await load(
      project('{ HOST_NAME: { default: shop.example }, URL: { type: url } }', { '.env.test': text }),
    );
    expect(settings.warnings).toBeUndefined();
    expect(settings.variables?.map(({ value }) => value.reveal())).toEqual(['shop.example', 'https://shop.example/']);
  });

  it('is no value for a line that is blank', async () => {
    const root = project('{ MODE: { type: enum, values: [a], default: a } }', { '.env.test': 'MODE=\n' });
    expect(await problemsOf(root)).toEqual(['config/.env.test:1: MODE is blank; write MODE=a, or remove the line']);
  });

  it('leaves the .env beside the compose file in force', async () => {
    const root = createProject({
      ...COMPOSE,
      'compose/.env': 'POOL=3\n',
      'config/deploy.yml': deployYml('files: [compose/]', 'env: { POOL: { type: integer }, MODE: { default: a } }'),
    });
    const { envFiles, variables } = await load(root);
    expect(envFiles).toEqual(['.variables/defaults.env', 'compose/.env']);
    expect(variables?.map(({ name }) => name)).toEqual(['POOL', 'MODE']);
  });
});

describe('a wrong declaration is refused:', () => {
  it.each([
    ['{ POOL: { type: int } }', 'env.POOL.type must be one of string, integer, number, boolean, enum, url'],
    ['{ POOL: 5 }', 'env.POOL must be a map, such as { type: integer, required: true }'],
    ['{ "a-b": {} }', 'env.a-b must be the name of a variable: letters A-Z, digits and _'],
    ['{ POOL: { typ: integer } }', 'unknown key env.POOL.typ'],
    ['{ MODE: { type: enum } }', 'env.MODE has no values'],
    ['{ MODE: { values: [a] } }', 'env.MODE.values is not for type string'],
    ['{ MODE: { type: enum, values: [a], default: b } }', 'env.MODE.default must be one of a'],
    ['{ MODE: { type: enum, values: [1.10] } }', 'env.MODE.values has a number with a point'],
    ['{ POOL: { type: integer, default: 2.5 } }', 'env.POOL.default must be a whole number'],
    ['{ POOL: { type: integer, default: 5, max: 4 } }', 'env.POOL.default must be at most 4'],
    ['{ POOL: { type: integer, min: 5, max: 4 } }', 'env.POOL.min is larger than max'],
    ['{ TAG: { required: true, default: " " } }', 'env.TAG.default is blank, and the variable required'],
    ['{ TAG: { default: 1.10 } }', 'env.TAG.default must be text'],
    ['{ TAG: { min: 3 } }', 'env.TAG.min is not for type string'],
    ['{ TAG: { pattern: "[" } }', 'env.TAG.pattern is not a valid regular expression'],
    ['{ IMAGE_TAG: {} }', 'env.IMAGE_TAG is set by do-deploy itself'],
    ['{ APP: { default: x } }', 'env.APP is set by do-deploy itself'],
    ['{ DO_TOKEN: {} }', 'env.DO_TOKEN is a secret of do-deploy, which never leaves this machine'],
  ])('%s', async (declared, message) => {
    const problems = await problemsOf(project(declared));
    expect(problems).toEqual([expect.stringContaining(`config/deploy.yml:3: ${message}`)]);
  });

  it('not for a dollar sign in a pattern', async () => {
    const files = { '.env.test': "PRICE='$USD5'\n" };
    await expect(load(project("{ PRICE: { pattern: '[$]USD\\d$' } }", files))).resolves.toBeDefined();
  });
});

describe('a dollar sign that loses half of a value', () => {
  const warningsOf = async (text: string) =>
    (await load(project('{}', { '.env.test': text }))).warnings?.map((warning) => warning.split(' has a dollar')[0]);

  it.each(['"abc$LongTail99"', 'abc$LongTail99', '"abc${LongTail99}"'])('is warned about, in %s', async (value) => {
    const settings = await load(project('{}', { '.env.test': `A=b\nPASSWORD=${value}\n` }));
    expect(settings.warnings).toEqual([
      expect.stringMatching(/^config\/\.env\.test:2: the value of PASSWORD .*single quotes.*\$\$/),
    ]);
    expect(settings.warnings?.join()).not.toContain('LongTail99');
    expect(
      settings.secrets.map((secret) => secret.reveal()),
      'compose names it',
    ).toContain('LongTail99');
  });

  it('is not warned about where it is meant', async () => {
    const fine = ["'abc$def'", 'abc$$def', '"abc\\$def"', 'abc$1', '${DEF:-x}', '$HOME/x', '$IMAGE_TAG'];
    for (const value of fine) expect(await warningsOf(`PASSWORD=${value}\n`), value).toBeUndefined();
    expect(await warningsOf('DEF=x\nURL=http://$DEF/\n')).toBeUndefined();
  });
});

describe('a variable that a compose file requires', () => {
  const lines = [
    'services:',
    '  app:',
    '    # ${IN_A_COMMENT:?}',
    '    image: shop:${IMAGE_TAG:?}',
    '    command: echo $${NOT_ONE:?} ${HOME:?} ${DEPLOY_ENV?}',
    '    environment:',
    '      - A=${SET?} ${SET:?} ${BLANK?} ${A_SECRET:?} ${DECLARED:?}',
    '      - B=${MISSING:?set it} ${NEVER_READ:?}',
    '      - ${SET:-${NOT_NEEDED:?}}${FIRST:-${DEEP?}}',
  ];
  const files = (more: string[] = [], env = 'SET=1\nBLANK=\n') => ({
    'compose/docker-compose.yml': [...lines, ...more, ''].join('\n'),
    'config/.env.test': env,
    'secret.txt': 'x-y-z-1\n',
    'config/deploy.yml': deployYml('secrets: { A_SECRET: { file: secret.txt } }', 'env: { DECLARED: { default: a } }'),
  });

  it('is named with its line and the env file to write it in, before anything is contacted', async () => {
    const missing = (name: string, line: number, why = 'no env file sets it') =>
      `compose/docker-compose.yml:${line}: ${name} is required, and ${why}; write ${name}=VALUE in config/.env.test`;
    expect(await problemsOf(createProject(files()))).toEqual([missing('MISSING', 8), missing('DEEP', 9)]);
    const blank = createProject(files(['      - C=${BLANK:?} ${MISSING:?}'], 'SET=1\nBLANK=\nMISSING=a\nDEEP=b\n'));
    expect(await problemsOf(blank)).toEqual([
      missing('NEVER_READ', 8),
      missing('BLANK', 10, 'it is blank in config/.env.test:2'),
    ]);
  });

  it('is left to compose where the compose or env files cannot be read to their end', async () => {
    const broken = { ...files(), 'compose/docker-compose.yml': 'a: ${MISSING:?}\n  b: [\n' };
    expect(await problemsOf(createProject(broken))).toEqual([]);
    const [only, ...others] = await problemsOf(createProject(files([], 'A="\n')));
    expect([only, others]).toEqual([expect.stringMatching(/^config\/\.env\.test:1: /), []]);
  });
});
