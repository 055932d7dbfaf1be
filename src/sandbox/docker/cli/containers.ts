import type { LogLine } from '../container.js';
import type { Engine } from '../engine.js';
import { DockerFailure, NotImplemented } from '../failure.js';
import { inspectContainer } from '../inspect.js';
import type { Command } from './call.js';
import { readFlags } from './flags.js';

/** `docker version --format '{{.Server.Version}}'` */
export const version: Command = (engine, _call, args, output) => {
  answerTemplate(engine, 'docker version', args, '{{.Server.Version}}', engine.version, output);
};

/** `docker info --format '{{.DockerRootDir}}'` */
export const info: Command = (engine, _call, args, output) => {
  answerTemplate(engine, 'docker info', args, '{{.DockerRootDir}}', engine.folder, output);
};

function answerTemplate(
  engine: Engine,
  command: string,
  args: readonly string[],
  template: string,
  value: string,
  output: { out(line: string): void },
): void {
  const flags = readFlags(command, args, { options: ['-f|--format'] });
  if (flags.value('--format') !== template || flags.words.length > 0)
    throw new NotImplemented(`${command} ${args.join(' ')}`);
  // Without a daemon, Docker prints the template's empty result before it complains.
  output.out(engine.faults.daemonDown ? '' : value);
  engine.mustAnswer();
}

/** `docker ps -aq --no-trunc --filter label=KEY=VALUE …`, or `--filter ancestor=IMAGE` */
export const ps: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker ps', args, {
    switches: ['-a|--all', '-q|--quiet', '--no-trunc'],
    options: ['-f|--filter'],
  });
  if (!flags.has('--quiet') || flags.words.length > 0) throw new NotImplemented(`docker ps ${args.join(' ')}`);
  engine.mustAnswer();
  const ancestors = flags.values('--filter').flatMap((filter) => /^ancestor=(.+)$/.exec(filter)?.[1] ?? []);
  const images = ancestors.map((name) => engine.images.find(name)?.image.id);
  const filters = flags.values('--filter').filter((filter) => !filter.startsWith('ancestor='));
  const labels = Object.fromEntries(
    filters.map((filter) => {
      const [, key, value] = /^label=([^=]+)=(.*)$/.exec(filter) ?? [];
      if (key === undefined || value === undefined) throw new NotImplemented(`docker ps --filter ${filter}`);
      return [key, value];
    }),
  );
  for (const container of engine.containers(labels)) {
    if (!container.running && !flags.has('--all')) continue;
    if (images.length > 0 && !images.includes(container.spec.image.id)) continue;
    output.out(flags.has('--no-trunc') ? container.id : container.id.slice(0, 12));
  }
};

/** `docker inspect CONTAINER…` */
export const inspect: Command = (engine, _call, args, output) => {
  const { words } = readFlags('docker inspect', args, {});
  if (engine.faults.daemonDown) output.out('[]');
  engine.mustAnswer();
  const found = words.map((word) => engine.findContainer(word)).filter((container) => container !== undefined);
  const missing = words.filter((word) => engine.findContainer(word) === undefined);
  output.out(
    JSON.stringify(
      found.map((container) => inspectContainer(container, engine.folder)),
      undefined,
      4,
    ),
  );
  if (missing.length > 0) throw new DockerFailure(missing.map((word) => `Error: No such object: ${word}`).join('\n'));
};

/** `docker logs [--tail N] [--timestamps] CONTAINER` */
export const logs: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker logs', args, { switches: ['-t|--timestamps'], options: ['-n|--tail'] });
  const tail = flags.value('--tail') ?? 'all';
  const [word = '', ...more] = flags.words;
  if (more.length > 0 || !/^(?:all|\d+)$/.test(tail)) throw new NotImplemented(`docker logs ${args.join(' ')}`);
  engine.mustAnswer();
  const container = engine.findContainer(word);
  if (container === undefined) throw new DockerFailure(`Error response from daemon: No such container: ${word}`);

  const lines = tail === 'all' ? container.log : container.log.slice(Math.max(container.log.length - Number(tail), 0));
  const show = ({ at, text }: LogLine) => (flags.has('--timestamps') ? `${new Date(at).toISOString()} ${text}` : text);
  for (const line of lines) {
    if (line.stream === 'stdout') output.out(show(line));
    else output.err(show(line));
  }
};

/** `docker volume ls -q` */
export const volume: Command = (engine, _call, args, output) => {
  const [verb, ...rest] = args;
  const flags = readFlags('docker volume', rest, { switches: ['-q|--quiet'] });
  if (verb !== 'ls' || !flags.has('--quiet') || flags.words.length > 0)
    throw new NotImplemented(`docker volume ${args.join(' ')}`);
  engine.mustAnswer();
  for (const name of engine.volumeNames()) output.out(name);
};
