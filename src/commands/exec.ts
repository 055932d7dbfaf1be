import { required, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { allOption, dropletOptions, environment, programExits } from '../cli/options.js';
import { placeExec } from './shared/place-program.js';
import { checkWords, placedOn, runOnDroplets } from './shared/programs.js';

export default defineCommand({
  name: 'exec',
  topic: 'operate',
  summary: 'Run a command in the running container of a service',
  description: 'A deploy replaces that container and ends what runs in it. For a container of its own, use run.',
  examples: [
    ['exec production app -- cat /etc/hosts', 'run it on the first droplet'],
    ['exec production app --all -- kill -USR1 1', 'run it on every droplet'],
  ],
  positionals: { environment, service: required(text({ describe: 'A service of the compose files' })) },
  options: { ...dropletOptions, ...allOption },
  rest: { value: 'COMMAND', describe: 'The command and its arguments', isRequired: true },
  settings: 'fleet',
  ownsOutput: true,
  exits: programExits,
  async run(context) {
    const { args, settings } = context;
    checkWords(args.rest);
    const place = placeExec(settings, { service: args.service, words: args.rest });
    return await runOnDroplets(context, args, {}, placedOn(place));
  },
});
