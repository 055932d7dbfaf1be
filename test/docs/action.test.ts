/** action.yml: what GitHub requires of it, what this project requires, and its scripts with hostile values. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ActionEnd, readAction, runAction } from '../support/composite-action.js';
import { codeBlocks, firstColumns, readRoot, section } from './markdown.js';

const action = readAction();

/** https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax, and the rules of docs/ci.md. */
const text = { type: 'string', minLength: 1 };
const SCHEMA = {
  type: 'object',
  required: ['name', 'description', 'inputs', 'outputs', 'runs'],
  additionalProperties: false,
  properties: {
    name: text,
    description: { ...text, maxLength: 125 },
    branding: {
      type: 'object',
      required: ['icon', 'color'],
      additionalProperties: false,
      properties: {
        icon: text,
        color: { enum: ['white', 'black', 'yellow', 'blue', 'green', 'orange', 'red', 'purple', 'gray-dark'] },
      },
    },
    inputs: {
      type: 'object',
      propertyNames: { pattern: '^[a-z][a-z-]*$' },
      additionalProperties: {
        type: 'object',
        required: ['description', 'default'],
        additionalProperties: false,
        properties: { description: text, default: { type: 'string' } },
      },
    },
    outputs: {
      type: 'object',
      propertyNames: { pattern: '^[a-z][a-z-]*$' },
      additionalProperties: {
        type: 'object',
        required: ['description', 'value'],
        additionalProperties: false,
        properties: { description: text, value: { pattern: '^\\$\\{\\{ steps\\.[a-z]+\\.outputs\\.[a-z]+ \\}\\}$' } },
      },
    },
    runs: {
      type: 'object',
      required: ['using', 'steps'],
      additionalProperties: false,
      properties: {
        using: { const: 'composite' },
        steps: {
          type: 'array',
          items: {
            oneOf: [
              {
                type: 'object',
                required: ['uses'],
                additionalProperties: false,
                properties: { uses: { pattern: '^[\\w/-]+@[0-9a-f]{40}$' }, with: { type: 'object' } },
              },
              {
                type: 'object',
                // A composite action has no default shell.
                required: ['id', 'run', 'shell', 'env'],
                additionalProperties: false,
                properties: {
                  id: { pattern: '^[a-z]+$' },
                  shell: { const: 'bash' },
                  run: { type: 'string', not: { pattern: '\\$\\{\\{' } },
                  env: {
                    type: 'object',
                    propertyNames: { pattern: '^[A-Z_]+$' },
                    additionalProperties: { pattern: '^\\$\\{\\{ [a-z._-]+ \\}\\}$' },
                  },
                },
              },
            ],
          },
        },
      },
    },
  },
};

describe('action.yml', () => {
  it('is what GitHub accepts, with pinned actions and no expression inside of a script', () => {
    const ajv = new Ajv({ strict: false, allErrors: true });
    const validate = ajv.compile(SCHEMA);
    validate(action);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('uses every input, and no other', () => {
    const steps = action.runs.steps.flatMap(({ env, with: settings }) => Object.values({ ...env, ...settings }));
    const used = steps.flatMap((value) => /inputs\.([\w-]+)/.exec(value)?.[1] ?? []);
    expect(used.sort()).toEqual(Object.keys(action.inputs).sort());
  });

  it('has outputs of steps that exist', () => {
    const ids = action.runs.steps.map(({ id }) => id);
    for (const { value } of Object.values(action.outputs)) expect(ids).toContain(/steps\.(\w+)/.exec(value)?.[1]);
  });

  it('is described in docs/ci.md, input by input and output by output, with an example that names existing inputs', () => {
    const page = section(readRoot('docs/ci.md'), 'The action');
    expect(firstColumns(page)).toEqual([...Object.keys(action.inputs), ...Object.keys(action.outputs)]);
    const [example] = codeBlocks(page);
    const [, settings = ''] = /with:\n((?: {4}.*\n)+)/.exec(example?.code ?? '') ?? [];
    const named = [...settings.matchAll(/^ {4}([\w-]+):/gm)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(3);
    expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(named));
  });
});

describe('its scripts', () => {
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-action-test-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  /** An action folder whose do-deploy prints its arguments and variables as JSON. */
  const folder = join(root, "an action's folder");
  beforeAll(() => {
    mkdirSync(join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'dist/main.js'), RECORDER);
  });
  const RECORDER =
    'console.log(JSON.stringify({ words: process.argv.slice(2), env: process.env, parent: process.ppid }))';
  const recorded = ({ stdout }: ActionEnd) =>
    JSON.parse(stdout) as { words: string[]; env: Record<string, string | undefined>; parent: number };
  const run = (inputs: Record<string, string>, env = {}) => runAction({ inputs, env, cwd: root, folder });

  it('run do-deploy with the command, options and operands', async () => {
    const inputs = {
      environment: 'production',
      release: 'v1.4.2',
      config: 'deploy/config.yml',
      args: '--force\n\n--wait-lock\n10m\n',
    };
    expect(recorded(await run(inputs)).words).toEqual([
      'deploy',
      '--force',
      '--wait-lock',
      '10m',
      '--config=deploy/config.yml',
      '--',
      'production',
      'v1.4.2',
    ]);
    expect(recorded(await run({ command: 'status', args: '--check' })).words).toEqual(['status', '--check']);
    expect(recorded(await run({ release: 'v1' })).words, 'a release is never taken for the environment').toEqual([
      'deploy',
      '--',
      '',
      'v1',
    ]);
  });

  it.each([
    'two  words ',
    `"quotes" and 'quotes'`,
    '$(touch pwned) `touch pwned` $HOME',
    'a\nb\n\nc\n',
    '--allow-downtime',
    '; touch pwned; #',
    '\\',
    '*',
    '-n',
    'EOF\n$IFS ü',
  ])('pass on %j as one argument, whichever input it is', async (hostile) => {
    const inputs = { command: hostile, environment: hostile, release: hostile, config: hostile };
    const { words, env } = recorded(await run({ ...inputs, token: hostile, 'ssh-key': hostile }));
    expect(words).toEqual([hostile, `--config=${hostile}`, '--', hostile, hostile]);
    expect({ token: env.DO_TOKEN, key: env.SSH_PRIVATE_KEY }).toEqual({ token: hostile, key: hostile });
    const oneLine = hostile.replaceAll('\n', ' ');
    expect(recorded(await run({ args: `--a\n${oneLine}\n--b` })).words).toEqual(['deploy', '--a', oneLine, '--b']);
    expect(existsSync(join(root, 'pwned'))).toBe(false);
  });

  it('take the token and the key from the variables of the step, unless inputs name others', async () => {
    const env = { DO_TOKEN: 'of the step', SSH_PRIVATE_KEY: 'of the step', LOAD_BALANCER: 'web' };
    const kept = recorded(await run({}, env)).env;
    expect(kept).toMatchObject(env);
    expect(Object.keys(kept).filter((name) => /^INPUT_(TOKEN|SSH_KEY)$/.test(name))).toEqual([]);
    expect(recorded(await run({ token: 'other' }, env)).env).toMatchObject({ ...env, DO_TOKEN: 'other' });
    expect(recorded(await run({})).env).not.toHaveProperty('DO_TOKEN');
  });

  it('leave no shell between the runner and do-deploy, which would keep the signal of a cancelled job', async () => {
    expect(recorded(await run({})).parent).toBe(process.pid);
  });

  describe('that install', () => {
    /** A `npm` that notes its arguments and makes what an installation makes. */
    const bin = join(root, 'bin');
    const PATH = `${bin}:${process.env.PATH}`;
    const npm = `#!/bin/bash
printf '%s\\n' "$@" >>"$NPM_LOG"
folder=scripts
if [[ $1 = install ]]; then
  while [[ $1 != --prefix ]]; do shift; done
  folder=$2/node_modules/do-deploy/dist
fi
mkdir -p "$folder"
cp "$RECORDER" "$folder/main.js"
cp "$BUILD" "$folder/build.mjs"
`;
    beforeAll(() => {
      mkdirSync(bin);
      writeFileSync(join(bin, 'npm'), npm);
      chmodSync(join(bin, 'npm'), 0o755);
      writeFileSync(join(root, 'recorder.js'), RECORDER);
      // Like the real one, it works in the folder of the checkout only.
      const build = "import { cpSync } from 'node:fs'; cpSync('scripts/main.js', 'dist/main.js');";
      writeFileSync(join(root, 'build.mjs'), build);
    });
    const install = async (inputs: Record<string, string>, checkout: string) => {
      const log = join(mkdtempSync(join(root, 'npm-')), 'log');
      writeFileSync(log, '');
      const env = { PATH, NPM_LOG: log, RECORDER: join(root, 'recorder.js'), BUILD: join(root, 'build.mjs') };
      const end = await runAction({ inputs, env, cwd: root, folder: checkout });
      return { end, npm: readFileSync(log, 'utf8').split('\n').filter(Boolean) };
    };

    it("build the action's own checkout once, without install scripts", async () => {
      const checkout = join(root, "a new action's folder");
      mkdirSync(checkout);
      const first = await install({ environment: 'production' }, checkout);
      expect(first.npm).toEqual(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
      expect(recorded(first.end).words).toEqual(['deploy', '--', 'production']);
      expect((await install({}, checkout)).npm).toEqual([]);
    });

    it('take a tarball, without install scripts', async () => {
      const { end, npm } = await install({ version: 'https://example.com/a b/$(touch pwned).tgz' }, folder);
      expect(npm.slice(0, 2)).toEqual(['install', '--ignore-scripts']);
      expect(npm.slice(-2)).toEqual(['--', 'https://example.com/a b/$(touch pwned).tgz']);
      expect(recorded(end).words).toEqual(['deploy']);
    });

    it.each(['1.4.2', 'do-deploy', 'latest', 'acme/do-deploy#v1'])(
      'refuse %j: it may be another package',
      async (version) => {
        const { end, npm } = await install({ version }, folder);
        expect(end).toMatchObject({ code: 2, stdout: expect.stringMatching(/^::error title=do-deploy::/) });
        expect(npm).toEqual([]);
      },
    );
  });
});

it('the repository has what the action needs', () => {
  for (const path of ['package-lock.json', 'scripts/build.mjs', 'dist/main.js'])
    expect(existsSync(resolve(path))).toBe(true);
});
