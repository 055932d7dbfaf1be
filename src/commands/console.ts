import { flag, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { dropletOptions, environment, programExits } from '../cli/options.js';
import { whoDeploys } from '../cli/who.js';
import { placeExec, placeOneOff } from './shared/place-program.js';
import { checkWords, needTerminal, placedOn, runOnDroplets } from './shared/programs.js';

/** Of the image, whatever its entrypoint does. */
const SHELL = ['sh', '-c', 'if command -v bash >/dev/null 2>&1; then exec bash; fi; exec sh'];

export default defineCommand({
  name: 'console',
  topic: 'operate',
  summary: 'Open a console in a new container of the running release',
  description:
    'Like run, but attached to your terminal: every key, Ctrl-C, Ctrl-D and the size of the window. It opens what console:\nin config/deploy.yml names, or else a shell of the image.',
  examples: [
    ['console production', 'open the console of config/deploy.yml'],
    ['console production worker -- bin/rails console', 'run another command instead'],
    ['console production app --running', 'open a shell in the container that runs'],
  ],
  positionals: {
    environment,
    service: text({ describe: 'A service of the compose files (default: console.service, else app or web)' }),
  },
  options: {
    ...dropletOptions,
    running: flag({ describe: 'In the container that runs, instead of a new one' }),
  },
  rest: { value: 'COMMAND', describe: 'The command and its arguments (default: console.command, else a shell)' },
  settings: 'fleet',
  ownsOutput: true,
  exits: programExits,
  async run(context) {
    const { args, settings, env, programIO } = context;
    const io = programIO();
    needTerminal(io);
    checkWords(args.rest);
    const configured = settings.console ?? {};
    const service = args.service ?? configured.service;
    // Another service has another console.
    const usual = service === configured.service || configured.service === undefined ? configured.command : undefined;
    const words = args.rest.length > 0 ? args.rest : (usual ?? SHELL);
    const terminal = { type: env.TERM ?? 'xterm', size: io.size() };
    const place = args.running
      ? placeExec(settings, { service, words, terminal })
      : placeOneOff(settings, {
          service,
          words,
          terminal,
          who: whoDeploys(env).who,
          skipEntrypoint: words === SHELL,
        });
    return await runOnDroplets(context, args, { terminal: true }, placedOn(place));
  },
});
