/**
 * A secret, a terminal sequence and a workflow command in everything that any command may print: found nowhere. The tables
 * are made from the list of commands and the types of outputs and events, so new ones are covered.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Command, type CommandContext, type CommandEnd, loadCommands } from '../../src/cli/define-command.js';
import { COMMANDS } from '../../src/commands/index.js';
import { ConfigError } from '../../src/config/problems.js';
import { DeployError } from '../../src/errors.js';
import { dropletBody, type LocalServer, loadBalancerBody, localServer } from '../adapters/digitalocean-fixtures.js';
import { createProject } from '../config/project-folder.js';
import { runCommandLine } from '../support/command-line.js';
import { expectHarmless, expectNoCommands, hostile, withHostile } from '../support/hostile.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';
import { SAMPLE_OUTPUTS } from '../support/sample-outputs.js';

const TOKEN = 'dop_v1_0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const OWN_SECRET = 'own-file-8417-secret';
const UPLOADED_SECRET = 'uploaded-9266-secret';
/** Of a variable whose name tells nothing. */
const REQUIRED_VALUE = 'page-5521-8830';
const SECRETS = [TOKEN, OWN_SECRET, UPLOADED_SECRET];

/** Environments of the names that examples use. */
const YAML = `app: shop
compose: [compose.yml]
files: [config/.env.common]
environments:
  production: { load_balancer: web }
  staging: { droplet: 1 }
`;
const FILES = {
  'config/deploy.yml': YAML,
  'config/.env': `BACKUP_PASSWORD=${OWN_SECRET}\n`,
  'config/.env.common': `SECRET_KEY=${UPLOADED_SECRET}\n`,
  'compose.yml': 'services: {}\n',
};

const MODES = {
  terminal: { words: [], isTerminal: true, env: {} },
  plain: { words: [], isTerminal: false, env: {} },
  json: { words: ['--json'], isTerminal: false, env: {} },
  github: { words: [], isTerminal: false, env: { GITHUB_ACTIONS: 'true', CI: 'true' } },
  'json in github': { words: ['--json'], isTerminal: false, env: { GITHUB_ACTIONS: 'true', CI: 'true' } },
} as const;

type Mode = keyof typeof MODES;

/** Answers every request with an error. */
let refusing: LocalServer;
/** Answers as DigitalOcean does, with names that are hostile. */
let answering: LocalServer;
beforeAll(async () => {
  refusing = await localServer((_, response) => {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: hostile(TOKEN), message: SECRETS.map(hostile).join() }));
  });
  answering = await localServer(({ url = '' }, response) => {
    const droplet = (id: number) =>
      dropletBody(id, {
        name: `web ${SECRETS.map(hostile).join()}`,
        tags: [hostile(TOKEN)],
        networks: { v4: [{ ip_address: '127.0.0.1', netmask: '', gateway: '', type: 'public' }], v6: [] },
      });
    const balancer = loadBalancerBody({ droplet_ids: [1, 2], ip: hostile(TOKEN), name: 'web' });
    const body = url.includes('load_balancers') ? { load_balancers: [balancer], load_balancer: balancer } : {};
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ...body, droplets: [1, 2].map(droplet), droplet: droplet(1), meta: { total: 2 } }));
  });
});
afterAll(async () => {
  await refusing.close();
  await answering.close();
});

/** Runs the command line in this mode, and checks everything that came out of it. */
async function expectSafe(
  words: readonly string[],
  mode: Mode,
  options: { files?: Record<string, string>; env?: Record<string, string>; commands?: typeof COMMANDS } = {},
): Promise<{ exit: number; stdout: string; stderr: string }> {
  const cwd = createProject({ ...FILES, summary: '', outputs: '', ...options.files });
  const summary = join(cwd, 'summary');
  const outputsOfStep = join(cwd, 'outputs');
  const { words: flags, isTerminal, env } = MODES[mode];
  const before = words.indexOf('--');
  const argv = before < 0 ? [...words, ...flags] : [...words.slice(0, before), ...flags, ...words.slice(before)];
  const end = await runCommandLine(argv, {
    cwd,
    isTerminal,
    answer: 'y\n',
    commands: options.commands,
    env: {
      PATH: process.env.PATH,
      HOME: cwd,
      DO_TOKEN: TOKEN,
      DIGITALOCEAN_API_URL: refusing.apiUrl,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_OUTPUT: outputsOfStep,
      ...env,
      ...options.env,
    },
  });
  const streams = { stdout: end.stdout, stderr: end.stderr };
  const files = { 'the step summary': readFileSync(summary, 'utf8'), outputs: readFileSync(outputsOfStep, 'utf8') };
  for (const [where, text] of Object.entries({ ...streams, ...files })) {
    expectHarmless(text, SECRETS, `${where} of ${mode}`);
    if (mode.includes('github') && Object.hasOwn(streams, where)) expectNoCommands(text, `${where} of ${mode}`);
  }
  const others = files.outputs.split('\n').filter((line) => !/^((outcome|release|summary)=.*)?$/.test(line));
  expect(others, `outputs of ${mode}`).toEqual([]);
  return end;
}

const commands = await loadCommands(COMMANDS);

/** The first example of a command, as words. */
function exampleOf({ examples: [[line]] }: Command): string[] {
  const [words = ''] = line.split(' >');
  return words.split(' ');
}

/** How a command may end. Each writes the hostile text wherever it can. */
const ENDS: Record<string, (context: CommandContext) => Promise<CommandEnd>> = {
  'throws an error': async () => {
    throw hostileError();
  },
  'throws a problem of the configuration': async () => {
    const [place, message, remedy] = SECRETS.map(hostile);
    throw new ConfigError(hostile(TOKEN), [{ place: `${place}`, message: `${message}`, remedy: `${remedy}` }]);
  },
  'meets a bug': async () => {
    throw new TypeError(hostile(TOKEN), { cause: { config: { headers: hostile(OWN_SECRET) } } });
  },
  'throws what is no error': async () => {
    throw hostile(TOKEN);
  },
  'returns every output': async () => ({ exit: 0, output: hostileOutputs() }),
  'shows every output, and asks': async ({ show, canAsk, ask }) => {
    for (const output of hostileOutputs()) show(output);
    if (canAsk) expect(await ask(hostile(TOKEN))).toBe(true);
    return { exit: 0 };
  },
  'returns notes and errors': async () => ({
    exit: 1,
    notes: SECRETS.map(hostile),
    errors: [hostileError(), new DeployError('x', hostile(TOKEN))],
  }),
  'reports every event': async (context) => {
    const settings = context.settings ?? (await context.load({ environment: 'production' }));
    const { reporter } = await context.ports(settings);
    const kept = ['type', 'at', 'step', 'phase', 'rotation', 'outcome', 'command', 'level', 'source'];
    for (const event of SAMPLE_EVENTS)
      reporter.report(SECRETS.reduce((one, secret) => withHostile(one, secret, kept), event));
    return { exit: 0 };
  },
};

function hostileError(): DeployError {
  const [first, second, third] = SECRETS.map(hostile);
  return new DeployError('x', `${first}${second}`, {
    hint: `${third}`,
    droplet: `web-1 ${first}`,
    step: `step ${second}`,
    cause: new Error(`${third}`),
  });
}

function hostileOutputs() {
  // Times of tags come from git's own clock; the state and the rotation are do-deploy's words.
  return Object.values(SAMPLE_OUTPUTS).map((output) => {
    const kept = ['type', 'state', 'rotation', ...(output.type === 'tags' ? ['at'] : [])];
    return SECRETS.reduce((one, secret) => withHostile(one, secret, kept), output);
  });
}

describe.each(commands.map((command) => [command.name, command] as const))('%s', (name, command) => {
  const modes = Object.keys(MODES) as Mode[];

  it.each(Object.keys(ENDS))('%s, and nothing of it is printed', async (end) => {
    const run = ENDS[end];
    if (run === undefined) throw new Error(end);
    const list = { ...COMMANDS, [name]: async () => ({ default: { ...command, run: loaded(run) } }) };
    for (const mode of modes) {
      const { stdout, stderr } = await expectSafe([...exampleOf(command), '--debug'], mode, { commands: list });
      expect(stdout + stderr, `${mode}: it was printed`).toContain('[secret]');
    }
  });

  it('is given arguments that hold a secret', async () => {
    const words = contactless(command);
    const wrong = [
      [...words, ...words, TOKEN, hostile(TOKEN)],
      [`--${TOKEN}`, ...words],
      [...words, `--json=${hostile(TOKEN)}`],
      [...words, '--config', hostile(TOKEN)],
      [hostile(TOKEN), ...words],
    ];
    for (const mode of modes) {
      for (const line of wrong) await expectSafe(line, mode);
      const [first = ''] = words;
      await expectSafe([first, hostile(TOKEN)], mode);
    }
  });

  it('finds secrets in a configuration that is wrong', async () => {
    const text = JSON.stringify(hostile(OWN_SECRET));
    const files: Record<string, string>[] = [
      { 'config/deploy.yml': `${YAML}${text}: 1\nimage_tag: ${text}\nssh: { ${text}: 1, user: ${text} }\n` },
      {
        'config/deploy.yml': `${YAML}ssh: { key: ${OWN_SECRET} }\nregistry: { server: ${text} }\nrollout: { batch: ${text} }\n`,
      },
      { 'config/deploy.yml': `app: [${OWN_SECRET}\n\tenvironments: }{` },
      { 'config/deploy.yml': YAML.replace('compose.yml', OWN_SECRET).replace('config/.env.common', text) },
    ];
    for (const mode of modes) for (const one of files) await expectSafe(contactless(command), mode, { files: one });
  });
});

/** The settings are loaded first, as usual. */
function loaded(run: (context: CommandContext) => Promise<CommandEnd>): Command['run'] {
  return async (context) => {
    if (context.settings === undefined) await context.load({ environment: 'production' });
    return await run(context);
  };
}

/** A command line that starts no region, because the sandbox has no configuration, and asks nothing. */
function contactless(command: Command): string[] {
  if (command.name === 'init') return exampleOf({ ...command, examples: [command.examples[1], command.examples[0]] });
  return command.name.startsWith('sandbox') ? [...exampleOf(command), '--droplets', OWN_SECRET] : exampleOf(command);
}

describe('DigitalOcean', () => {
  // Of these, config only reads files, and hook install writes down the name of an environment.
  const asks = ({ name, positionals }: Command) =>
    (positionals.environment !== undefined && !['config', 'hook install'].includes(name)) || name === 'tags';
  const asking = commands.filter(asks);

  it.each(asking.map((command) => [command.name, command] as const))('refuses %s with a secret', async (_, command) => {
    for (const mode of Object.keys(MODES) as Mode[]) {
      const { exit } = await expectSafe([...exampleOf(command), '--debug'], mode);
      expect(exit).toBeGreaterThan(0);
    }
  });

  it.each(asking.map((command) => [command.name, command] as const))('answers %s with one', async (_, command) => {
    // Port 9 of this machine: nothing listens there.
    const files = { 'config/deploy.yml': `${YAML}ssh: { port: 9 }\n` };
    for (const mode of ['terminal', 'json', 'github'] as const) {
      const env = { DIGITALOCEAN_API_URL: answering.apiUrl };
      await expectSafe([...exampleOf(command), '--debug'], mode, { env, files });
    }
  });
});

/** Prints a secret that is known only by `requires`, and two others, wherever a layer's code runs before its handlers. */
const TALKATIVE_LAYER = `import { defineLayer, z } from 'do-deploy';
const words = ${JSON.stringify([...SECRETS, REQUIRED_VALUE].map(hostile))};
console.log('imported', ...words);
console.error(...words);
console.dirxml(...words);
process.emitWarning(words.join());
export default defineLayer({
  name: 'talkative',
  kind: 'application',
  config: z.strictObject({}).refine(() => (console.log('checked', ...words), true)),
  requires: ['STATUS_PAGE'],
  on: { pre_deploy: () => {} },
});
`;

describe('A layer that prints while it is loaded', () => {
  it('gives no secret away', async () => {
    const files = {
      'config/deploy.yml': `${YAML}layers: { ./talkative.ts: {} }\n`,
      'config/.env': `${FILES['config/.env']}STATUS_PAGE=${REQUIRED_VALUE}\n`,
      'talkative.ts': TALKATIVE_LAYER,
    };
    for (const mode of Object.keys(MODES) as Mode[]) {
      const { stdout, stderr } = await expectSafe(['production', 'v1', '--yes'], mode, { files });
      expectHarmless(stdout + stderr, [REQUIRED_VALUE], mode);
      expect(stdout).toContain('imported');
      expect(stdout).toContain('checked');
      if (mode.startsWith('json')) for (const line of stdout.trim().split('\n')) JSON.parse(line);
    }
  });
});
