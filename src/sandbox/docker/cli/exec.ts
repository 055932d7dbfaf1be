import { daemonError, NotImplemented } from '../failure.js';
import type { Command } from './call.js';
import { readFlags } from './flags.js';
import { programOf } from './programs.js';

/** `docker exec [-i] [-t] [--env NAME=VALUE] CONTAINER COMMAND…`: a program of this machine, with the container's variables. */
export const exec: Command = (engine, _call, args, output) => {
  const spec = { switches: ['-i|--interactive', '-t|--tty'], options: ['-e|--env'] };
  const flags = readFlags('docker exec', args, spec, true);
  const [word = '', ...words] = flags.words;
  if (words.length === 0) throw new NotImplemented(`docker exec ${args.join(' ')}`);
  engine.mustAnswer();
  const container = engine.findContainer(word);
  if (container === undefined) throw daemonError(`No such container: ${word}`);
  if (container.status !== 'running') throw daemonError(`Container ${container.id} is not running`);
  const given = Object.fromEntries(flags.values('--env').map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
  output.become = programOf(words, { ...container.spec.env, ...given });
};
