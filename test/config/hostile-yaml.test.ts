/** YAML that people get wrong, and YAML that is meant to break its reader. */
import { describe, expect, it } from 'vitest';
import { createProject, deployYml, load, problemsIn } from './project-folder.js';

describe('a syntax error is one problem with its line', () => {
  const SYNTAX = 'fix the syntax (indentation, brackets, quotes)';
  const TAB = 'invalid YAML: a tab in the indentation; indent with spaces';
  const COLON =
    'invalid YAML: wrong indentation, or a colon in a value; put quotes around a value that contains a colon';
  const START = 'invalid YAML: a value begins with a reserved character; put quotes around the value';

  it.each([
    ['app: shop\nenvironments:\n\ttest:\n\t\tdroplet: 1\n', 3, TAB],
    ['\tapp: shop\n', 1, TAB],
    ['app: shop\nssh:\n  user: me\n\tport: 22\nkeep_releases: 1\n', 4, TAB],
    ['app: shop\nssh:\n  user: me\n \tport: 22\n', 4, TAB],
    ['app: shop\nfiles: [\n\ta,\n\tb]\n', 3, TAB],
    [
      'app: shop\nenvironments: { test: { droplet: 1 }\n',
      3,
      `invalid YAML: wrong indentation, or a bracket that is not closed; ${SYNTAX}`,
    ],
    ['app: shop\nssh: "root\n', 3, `invalid YAML: a quote, a bracket or a colon is missing; ${SYNTAX}`],
    ['app: shop: web\n', 1, COLON],
    ['app: shop\n  ssh: x\n', 1, COLON],
    ['app: shop\nx: @home\n', 2, START],
    ['app: shop\nx: %y\n', 2, START],
    ['app: shop\nx: `y`\n', 2, START],
    [
      'app: shop\nx: "\\q"\n',
      2,
      'invalid YAML: an unknown escape in double quotes; write a backslash as \\\\, or use single quotes',
    ],
    [
      'app: shop\nx: !y z\n',
      2,
      'invalid YAML: an unknown tag; put quotes around a value that begins with an exclamation mark',
    ],
    ['- app\nssh: x\n', 2, `invalid YAML: unexpected text; ${SYNTAX}`],
    ['app: shop\n]\n', 2, `invalid YAML: unexpected text; ${SYNTAX}`],
    ['app: shop\n---\napp: web\n', 2, 'invalid YAML: a second document begins; remove the --- and what follows'],
    ['? [a]\n: b\n', 1, 'invalid YAML: a key is not plain text; write a name before the colon'],
  ])('%j', async (yaml, line, problem) => {
    expect(await problemsIn(yaml)).toEqual([`config/deploy.yml:${line}: ${problem}`]);
  });

  it('also in a file that is not UTF-8 text', async () => {
    const read = async (content: Buffer) => {
      const loading = load(createProject({ 'config/deploy.yml': content }));
      return await loading.catch((error: { problems: unknown }) => error.problems);
    };
    expect(await read(Buffer.from('\ufeffapp: shop\n', 'utf16le'))).toMatchObject([
      { place: 'config/deploy.yml:1', message: 'the file is UTF-16' },
    ]);
    expect(await read(Buffer.from('app: shop\nx: ü\n', 'latin1'))).toMatchObject([
      { place: 'config/deploy.yml:2', message: 'the file is not UTF-8 text' },
    ]);
  });

  it('but not where a byte order mark or Windows line ends are all that is unusual', async () => {
    const yaml = `\ufeff${deployYml('keep_releases: 7').replaceAll('\n', '\r\n')}`;
    const root = createProject({ 'compose/docker-compose.yml': '', 'config/deploy.yml': yaml });
    expect(await load(root)).toMatchObject({ app: 'shop', keepReleases: 7 });
  });
});

describe('an alias', () => {
  const NO_ANCHOR = 'an alias (*) has no anchor (&) before it; put quotes around a value that begins with an asterisk';
  const CYCLE = 'an alias (*) stands for what contains it; write the value out';

  it('without an anchor is reported with its line, and nothing that only follows from it', async () => {
    expect(await problemsIn('app: *name\nenvironments:\n  test: *nope\n')).toEqual([
      `config/deploy.yml:1: ${NO_ANCHOR}`,
      `config/deploy.yml:3: ${NO_ANCHOR}`,
    ]);
  });

  it('is not shown: it may be a password that begins with an asterisk', async () => {
    const yaml = deployYml('registry: { username: me, password: *hunter2secret }');
    expect((await problemsIn(yaml)).join()).not.toContain('hunter2');
    expect((await problemsIn(deployYml('registry: { password: !hunter2secret x }'))).join()).not.toContain('hunter2');
  });

  it.each([
    ['app: shop\nenvironments: &a\n  test: *a\n', 3],
    ['app: shop\nfiles: &a [x, *a]\n', 2],
    ['&a\napp: *a\n', 2],
    ['app: shop\nssh: &a { user: &b [*a, *b] }\n', 2],
  ])('of what contains it is refused: %j', async (yaml, line) => {
    expect((await problemsIn(yaml))[0]).toBe(`config/deploy.yml:${line}: ${CYCLE}`);
  });

  it('stands for what its anchor marks, with the line of either', async () => {
    const yaml = 'app: shop\nssh: &s { user: me, prot: 1 }\nenvironments:\n  test: { droplet: 1, ssh: *s }\n';
    const problem = (line: number, path: string) =>
      `config/deploy.yml:${line}: unknown key ${path}ssh.prot; did you mean port?`;
    expect(await problemsIn(yaml)).toEqual([problem(2, ''), problem(2, 'environments.test.')]);
  });

  it('may not repeat too much', async () => {
    const laughs = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [above, below] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi']) {
      laughs.push(`${below}: &${below} [${Array(9).fill(`*${above}`).join(', ')}]`);
    }
    const REPEATS = 'config/deploy.yml:1: aliases (*) repeat too much; write the values out';
    expect(await problemsIn(`${laughs.join('\n')}\n`)).toEqual([REPEATS]);
    const wide = `a: &a [${'x,'.repeat(90_000)}]\nb: [${Array(90).fill('*a').join(', ')}]\n`;
    expect(await problemsIn(wide)).toEqual([REPEATS]);
  });
});

describe('the list of problems', () => {
  it('has at most 20 of them, and the number of the others', async () => {
    const lines = Array.from({ length: 30 }, (_, index) => `key${index}: 1`);
    const problems = await problemsIn(deployYml(...lines));
    expect(problems).toHaveLength(21);
    expect(problems[0]).toMatch(/^config\/deploy\.yml:3: unknown key key0; /);
    expect(problems[19]).toMatch(/^config\/deploy\.yml:22: unknown key key19; /);
    expect(problems[20]).toBe('config/deploy.yml: 10 more; fix the ones above first');
  });

  it.each<[name: string, yaml: string, more: number]>([
    ['unknown keys', deployYml(...Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`)), 99_980],
    ['repeated keys', deployYml(...Array.from({ length: 20_000 }, () => 'app: x')), 19_980],
    [
      'environments without a target',
      `app: x\nenvironments:\n${Array.from({ length: 10_000 }, (_, index) => `  e${index}: {}\n`).join('')}  test: { droplet: 1 }\n`,
      9_980,
    ],
    [
      'wrong environments',
      `app: x\nenvironments:\n${Array.from({ length: 10_000 }, (_, index) => `  e${index}:\n`).join('')}  test: { droplet: 1 }\n`,
      9_980,
    ],
  ])('of very many %s comes before the test runs out of time', async (_, yaml, more) => {
    const problems = await problemsIn(yaml);
    expect(problems).toHaveLength(21);
    expect(problems[20]).toBe(`config/deploy.yml: ${more} more; fix the ones above first`);
  });

  it('shows the beginning of a very long key only', async () => {
    const [problem = ''] = await problemsIn(deployYml(`${'k'.repeat(1000)}: 1`));
    expect(problem.length).toBeLessThan(500);
  });
});

describe('a file that is meant to exhaust the parser', () => {
  const DEEP = 'invalid YAML: more than 100 levels of nesting; check the brackets and dashes there';

  it.each([
    ['brackets', '['.repeat(1_000_000), 1],
    ['maps', `app: x\nx: ${'{a: '.repeat(200_000)}`, 2],
    ['dashes', `app: x\n${'- '.repeat(500_000)}`, 2],
    ['question marks', '? '.repeat(500_000), 1],
    ['indented keys', Array.from({ length: 1000 }, (_, index) => `${' '.repeat(index)}a:`).join('\n'), 1],
  ])('of nested %s is refused', async (_, yaml, line) => {
    expect(await problemsIn(yaml)).toEqual([`config/deploy.yml:${line}: ${DEEP}`]);
  });

  it('by its size is refused', async () => {
    expect(await problemsIn(`${deployYml()}# ${'x'.repeat(1024 * 1024)}\n`)).toEqual([
      'config/deploy.yml: is larger than 1 MiB; check that it is the right file',
    ]);
  });

  it('may be wide: nesting counts what is open at the same time', async () => {
    const root = createProject({
      'compose/docker-compose.yml': '',
      'config/deploy.yml': deployYml(`files: [${Array(500).fill("'x?'").join(', ')}]`, 'rollout: { batch: [1, 2, 3] }'),
    });
    await expect(load(root)).resolves.toMatchObject({ app: 'shop' });
  });

  it('by names that every object has changes nothing', async () => {
    for (const name of ['__proto__', 'toString']) {
      const problems = await problemsIn(deployYml(`${name}: { app: x }`));
      expect(problems, name).toEqual([expect.stringContaining(`unknown key ${name};`)]);
      const [environment] = await problemsIn(
        `app: x\nenvironments:\n  ${name}: { droplet: 1 }\n  test: { droplet: 1 }\n`,
      );
      expect(environment, name).toMatch(/^config\/deploy\.yml:3: environments\./);
    }
    expect(({} as { app?: string }).app).toBeUndefined();
  });

  it.each([
    ['env: { __proto__: { type: integer } }', 'env.__proto__'],
    ['secrets: { __proto__: { file: x } }', 'secrets.__proto__'],
    ['layers: { __proto__: {} }', 'layers.__proto__'],
    ['layers: { slack: { headers: { __proto__: x } } }', 'layers.slack.headers.__proto__'],
    ['layers: { checklist: [{ __proto__: x }] }', 'layers.checklist[0].__proto__'],
  ])('by a key that would be left out is refused with its line: %s', async (line, path) => {
    expect(await problemsIn(deployYml(line))).toEqual([
      `config/deploy.yml:3: unknown key ${path}; give it another name`,
    ]);
  });

  it.each(['constructor', 'prototype'])('by the key %s is read like any other', async (name) => {
    const [wrong] = await problemsIn(deployYml(`env: { ${name}: { type: nope } }`));
    expect(wrong).toMatch(new RegExp(`^config/deploy\\.yml:3: env\\.${name}\\.type must be one of`));
  });
});
