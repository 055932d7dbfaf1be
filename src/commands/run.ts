import { flag, required, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { allOption, dropletOptions, environment, programExits } from '../cli/options.js';
import { whoDeploys } from '../cli/who.js';
import { placeOneOff } from './shared/place-program.js';
import { checkWords, placedOn, runOnDroplets } from './shared/programs.js';

export default defineCommand({
  name: 'run',
  topic: 'operate',
  summary: 'Run a command in a new container of the running release',
  description:
    'The container has the files, variables and volumes of the service but publishes no port. It is removed when the\ncommand ends. Input, output and exit code are those of the command, byte for byte. Ctrl-C is passed on; a second\none kills the command.',
  examples: [
    ['run production app -- bin/rails db:seed', 'run it on the first droplet'],
    ['run production app -- pg_dump shop >shop.sql', 'keep its output'],
    ['run production app --all -- printenv RELEASE', 'run it on every droplet'],
  ],
  positionals: { environment, service: required(text({ describe: 'A service of the compose files' })) },
  options: {
    ...dropletOptions,
    ...allOption,
    noEntrypoint: flag({ describe: "Run the command itself, not as arguments of the image's entrypoint" }),
  },
  rest: { value: 'COMMAND', describe: 'The command and its arguments', isRequired: true },
  settings: 'fleet',
  ownsOutput: true,
  exits: programExits,
  async run(context) {
    const { args, settings, env } = context;
    checkWords(args.rest);
    const { service, rest: words, noEntrypoint: skipEntrypoint } = args;
    const who = whoDeploys(env).who;
    const place = placeOneOff(settings, { service, words, who, skipEntrypoint });
    return await runOnDroplets(context, args, {}, placedOn(place));
  },
});
