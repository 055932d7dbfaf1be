import { DockerFailure, NotImplemented } from '../failure.js';
import type { LocalImage } from '../image-store.js';
import { inspectImage } from '../inspect.js';
import type { Command } from './call.js';
import { readFlags } from './flags.js';

/** `docker image inspect|ls|rm|tag` */
export const image: Command = (engine, call, args, output) => {
  const [verb, ...rest] = args;
  switch (verb) {
    case 'inspect':
      return inspect(engine, call, rest, output);
    case 'ls':
      return list(engine, call, rest, output);
    case 'tag':
      return tag(engine, call, rest, output);
    case 'rm':
      return remove(engine, call, rest, output);
    default:
      throw new NotImplemented(`docker image ${args.join(' ')}`);
  }
};

/** The only template that anybody asks for: every name of the image on a line of its own. */
const NAMES = '{{range .RepoTags}}{{println .}}{{end}}{{range .RepoDigests}}{{println .}}{{end}}';

const inspect: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker image inspect', args, { options: ['-f|--format'] });
  const { words } = flags;
  const template = flags.value('--format');
  if (template !== undefined && template !== NAMES) throw new NotImplemented(`docker image inspect ${args.join(' ')}`);
  if (engine.faults.daemonDown) output.out(template === undefined ? '[]' : '');
  engine.mustAnswer();
  const found: LocalImage[] = [];
  const missing: string[] = [];
  for (const word of words) {
    try {
      found.push(engine.images.mustFind(word));
    } catch (error) {
      if (!(error instanceof DockerFailure)) throw error;
      missing.push(error.message);
    }
  }
  if (template === undefined) output.out(JSON.stringify(found.map(inspectImage), undefined, 4));
  else for (const { tags, digests } of found) output.out([...tags, ...digests, ''].join('\n'));
  if (missing.length > 0) throw new DockerFailure(missing.join('\n'));
};

const tag: Command = (engine, _call, args) => {
  const [source = '', name = '', ...more] = readFlags('docker image tag', args, {}).words;
  if (name === '' || more.length > 0) throw new NotImplemented(`docker image tag ${args.join(' ')}`);
  engine.mustAnswer();
  engine.images.tag(name, engine.images.mustFind(source).image);
};

const list: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker image ls', args, { switches: ['--no-trunc'], options: ['--format'] });
  if (!flags.has('--no-trunc') || flags.value('--format') !== '{{.ID}}' || flags.words.length > 0) {
    throw new NotImplemented(`docker image ls ${args.join(' ')}`);
  }
  engine.mustAnswer();
  // One line per name; an image without a name has one too.
  for (const { image, tags } of engine.images.list()) {
    for (let i = 0; i < Math.max(tags.size, 1); i += 1) output.out(image.id);
  }
};

const remove: Command = (engine, _call, args, output) => {
  const { words } = readFlags('docker image rm', args, {});
  engine.mustAnswer();
  const failures: string[] = [];
  for (const word of words) {
    try {
      for (const line of engine.images.remove(word, engine.imageUsers())) output.out(line);
    } catch (error) {
      if (!(error instanceof DockerFailure)) throw error;
      failures.push(error.message);
    }
  }
  if (failures.length > 0) throw new DockerFailure(failures.join('\n'));
};
