import { choice, names, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { commandLine, replaceValue, usage } from '../cli/usage-errors.js';
import { CI_NAMES } from '../init/ci.js';

const TARGET = 'load_balancer=NAME, droplet=ID, droplets=ID,ID or tag=NAME';

export default defineCommand({
  name: 'init',
  topic: 'set-up',
  summary: "Write config/deploy.yml for this folder's project",
  description:
    'Asks for what the options leave open; without a terminal, options have to answer everything. Files that exist are left\nas they are. Nothing is written before everything is known, and no droplet is contacted.',
  examples: [
    ['init', 'ask, then write config/deploy.yml'],
    ['init --production load_balancer=web --registry none', 'ask nothing; images are public'],
    ['init --staging droplet=3164494 --registry ghcr.io --ci github', 'with a workflow'],
  ],
  options: {
    app: text({ value: 'NAME', describe: "Name of the app (default: the folder's)" }),
    production: text({ value: 'TARGET', describe: `Where its droplets are: ${TARGET}` }),
    staging: text({ value: 'TARGET', describe: 'The same for staging; at least one of the two' }),
    compose: names({
      value: 'FILES',
      describe: 'Compose files, separated by commas (default: those found here)',
      example: 'compose.yaml',
    }),
    files: names({
      value: 'FILES',
      describe: 'Other files to upload, or none (default: env files, and what compose mounts)',
      example: 'config/.env.production',
    }),
    registry: text({
      value: 'REGISTRY',
      describe: 'Of private images: docker.io, ghcr.io, another one, digitalocean=NAME; or none',
    }),
    ci: choice({
      value: 'NAME',
      describe: `A workflow that deploys tags: ${CI_NAMES.join(', ')}`,
      choices: [...CI_NAMES, 'none'],
    }),
  },
  settings: 'none',
  exits: { [EXIT.interrupted]: 'interrupted' },
  async run(context) {
    const { args, argv, cwd, signals } = context;
    if (args.config !== undefined || args.set.length > 0) {
      throw usage(
        'init writes config/deploy.yml in this folder: it takes neither --config nor --set.',
        'do-deploy init --help',
      );
    }
    const { prepare } = await import('../init/prepare.js');
    const refuse = (option: string, { expected, example }: { expected: string; example: string }): never => {
      const label = `--${option}`;
      throw usage(`Invalid ${label}: expected ${expected}.`, commandLine(replaceValue(argv, label, example)));
    };
    const prepared = await prepare(
      { root: cwd, env: context.env, given: args, refuse, exampleText },
      { ...(context.canAsk && { prompts: context.prompts }), cloud: context.cloud, tell: context.note },
    );
    if (prepared.missing !== undefined) {
      const labels = prepared.missing.map((option) => `--${option}`);
      const words = prepared.missing.flatMap((option) => `--${option}`.split(' '));
      throw usage(
        `Missing ${labels.map((label) => label.split(' ')[0]).join(', ')}: there is no terminal to ask at.`,
        commandLine([...argv, ...words]),
      );
    }
    // From here on Ctrl-C is too late: either all files are written, or none.
    signals();
    const { write, ...shown } = prepared;
    write();
    return { exit: EXIT.ok, output: { type: 'init', ...shown } };
  },
});

async function exampleText(name: string): Promise<string> {
  const [{ readFile }, { join }, { packageRoot }] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
    import('../cli/package-files.js'),
  ]);
  return await readFile(join(packageRoot(), 'examples/ci', name), 'utf8');
}
