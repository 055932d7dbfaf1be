import { DockerFailure, NotImplemented } from '../failure.js';
import type { LocalImage } from '../image-store.js';
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

/** The templates that the stand-in supports: the image's names, one per line, and its id. */
const TEMPLATES: Record<string, (image: LocalImage) => string> = {
  '{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}': ({ tags, digests }) =>
    [...tags, ...digests, ''].join('\n'),
  '{{.Id}}': ({ image }) => image.id,
};

const inspect: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker image inspect', args, { options: ['-f|--format'] });
  const template = flags.value('--format');
  const show = template === undefined ? undefined : TEMPLATES[template];
  if (template !== undefined && show === undefined) throw new NotImplemented(`docker image inspect ${args.join(' ')}`);
  if (engine.faults.daemonDown) output.out(template === undefined ? '[]' : '');
  engine.mustAnswer();
  const { done: found, failures } = each(flags.words, (word) => engine.images.mustFind(word));
  if (show === undefined) output.out(JSON.stringify(found.map(inspectImage), undefined, 4));
  else for (const one of found) output.out(show(one));
  if (failures.length > 0) throw new DockerFailure(failures.join('\n'));
};

/** `docker image ls --no-trunc --quiet`, or `--format '{{.ID}} {{.Tag}}' REPOSITORY` */
const ls: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker image ls', args, { switches: ['-q|--quiet', '--no-trunc'], options: ['--format'] });
  const [repository, ...more] = flags.words;
  const all = flags.has('--quiet') && repository === undefined;
  const byTag = flags.value('--format') === '{{.ID}} {{.Tag}}' && repository !== undefined && more.length === 0;
  if (!flags.has('--no-trunc') || all === byTag) throw new NotImplemented(`docker image ls ${args.join(' ')}`);
  engine.mustAnswer();
  for (const { image, tags, digests } of engine.images.list()) {
    if (repository === undefined) {
      output.out(image.id);
      continue;
    }
    const own = [...tags].flatMap((name) =>
      name.startsWith(`${repository}:`) ? name.slice(repository.length + 1) : [],
    );
    const untagged = own.length === 0 && [...digests].some((name) => name.startsWith(`${repository}@`));
    for (const tag of untagged ? ['<none>'] : own) output.out(`${image.id} ${tag}`);
  }
};

const rm: Command = (engine, _call, args, output) => {
  const { words } = readFlags('docker image rm', args, {});
  engine.mustAnswer();
  const { done, failures } = each(words, (word) => engine.images.remove(word, engine.imageUsers()));
  for (const line of done.flat()) output.out(line);
  if (failures.length > 0) throw new DockerFailure(failures.join('\n'));
};

const tag: Command = (engine, _call, args) => {
  const { words } = readFlags('docker image tag', args, {});
  const [source = '', name = ''] = words;
  engine.mustAnswer();
  engine.images.tag(name, engine.images.mustFind(source).image);
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
