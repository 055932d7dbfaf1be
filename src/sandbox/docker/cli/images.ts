import { DockerFailure, NotImplemented } from '../failure.js';
import { inspectImage } from '../inspect.js';
import type { Command } from './call.js';
import { readFlags } from './flags.js';

/** `docker image inspect|ls|rm|tag` */
export const image: Command = (engine, call, args, output) => {
  const [verb = '', ...rest] = args;
  const command = { inspect, ls, rm, tag }[verb];
  if (command === undefined) throw new NotImplemented(`docker image ${args.join(' ')}`);
  return command(engine, call, rest, output);
};

/** The only template that the stand-in supports: the image's names, one per line. */
const NAMES = '{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}';

const inspect: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker image inspect', args, { options: ['-f|--format'] });
  const template = flags.value('--format');
  if (template !== undefined && template !== NAMES) throw new NotImplemented(`docker image inspect ${args.join(' ')}`);
  if (engine.faults.daemonDown) output.out(template === undefined ? '[]' : '');
  engine.mustAnswer();
  const { done: found, failures } = each(flags.words, (word) => engine.images.mustFind(word));
  if (template === undefined) output.out(JSON.stringify(found.map(inspectImage), undefined, 4));
  else for (const { tags, digests } of found) output.out([...tags, ...digests, ''].join('\n'));
  if (failures.length > 0) throw new DockerFailure(failures.join('\n'));
};

const tag: Command = (engine, _call, args) => {
  const [source = '', name = '', ...more] = readFlags('docker image tag', args, {}).words;
  if (name === '' || more.length > 0) throw new NotImplemented(`docker image tag ${args.join(' ')}`);
  engine.mustAnswer();
  engine.images.tag(name, engine.images.mustFind(source).image);
};

/** `docker image ls --no-trunc --format '{{.ID}}'`: one line per name; an image without a name has one too. */
const ls: Command = (engine, _call, args, output) => {
  if (args.join(' ') !== '--no-trunc --format {{.ID}}') throw new NotImplemented(`docker image ls ${args.join(' ')}`);
  engine.mustAnswer();
  for (const { image, tags } of engine.images.list()) {
    for (let i = 0; i < Math.max(tags.size, 1); i += 1) output.out(image.id);
  }
};

const rm: Command = (engine, _call, args, output) => {
  const { words } = readFlags('docker image rm', args, {});
  engine.mustAnswer();
  const { done, failures } = each(words, (word) => engine.images.remove(word, engine.imageUsers()));
  for (const line of done.flat()) output.out(line);
  if (failures.length > 0) throw new DockerFailure(failures.join('\n'));
};

/** Does the same for every word, and collects Docker's failures. */
function each<T>(words: readonly string[], act: (word: string) => T): { done: T[]; failures: string[] } {
  const done: T[] = [];
  const failures: string[] = [];
  for (const word of words) {
    try {
      done.push(act(word));
    } catch (error) {
      if (!(error instanceof DockerFailure)) throw error;
      failures.push(error.message);
    }
  }
  return { done, failures };
}
