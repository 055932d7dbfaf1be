import { once } from 'node:events';
import type { Container, LogLine } from '../container.js';
import { DOCKER_VERSION, type Engine } from '../engine.js';
import { DockerFailure, daemonError, NotImplemented } from '../failure.js';
import { inspectContainer, timeOf } from '../inspect.js';
import { STORAGE_DRIVER } from '../layer-files.js';
import type { Command, Output } from './call.js';
import { readFlags } from './flags.js';

/** `docker version --format '{{.Server.Version}}'` */
export const version: Command = (engine, _call, args, output) => {
  answerTemplate(engine, 'docker version', args, { '{{.Server.Version}}': DOCKER_VERSION }, output);
};

/**
 * `docker info --format TEMPLATE`, for DockerRootDir alone, for that with the driver, the architecture and the state of the
 * driver, and for the registries without TLS: there are none.
 */
export const info: Command = (engine, _call, args, output) => {
  const machine = process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch;
  const templates = {
    '{{.DockerRootDir}}': engine.folder,
    '{{println .DockerRootDir}}{{println .Driver}}{{println .Architecture}}{{.DriverStatus}}': [
      engine.folder,
      STORAGE_DRIVER,
      machine,
      '[[Backing Filesystem extfs] [Supports d_type true]]',
    ].join('\n'),
    '{{range .RegistryConfig.IndexConfigs}}{{if not .Secure}}{{println .Name}}{{end}}{{end}}': '',
  };
  answerTemplate(engine, 'docker info', args, templates, output);
};

/** @param templates the supported ones, with what they print */
function answerTemplate(
  engine: Engine,
  command: string,
  args: readonly string[],
  templates: Readonly<Record<string, string>>,
  output: Output,
): void {
  const flags = readFlags(command, args, { options: ['-f|--format'] });
  const value = templates[flags.value('--format') ?? ''];
  if (value === undefined || flags.words.length > 0) throw new NotImplemented(`${command} ${args.join(' ')}`);
  // Without a daemon, Docker prints the template's empty result before the error.
  output.out(engine.faults.daemonDown ? '' : value);
  engine.mustAnswer();
}

/** `docker ps -aq --no-trunc --filter label=KEY=VALUE …`; also filters by `label=KEY`, `ancestor`, `id`, `name` and `status`. */
export const ps: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker ps', args, {
    switches: ['-a|--all', '-q|--quiet', '--no-trunc'],
    options: ['-f|--filter'],
  });
  if (!flags.has('--quiet') || flags.words.length > 0) throw new NotImplemented(`docker ps ${args.join(' ')}`);
  engine.mustAnswer();
  const filters = flags.values('--filter').map((filter) => {
    const [, kind = '', value = ''] = /^(label|ancestor|id|name|status)=(.+)$/.exec(filter) ?? [];
    if (kind === '') throw new NotImplemented(`docker ps --filter ${filter}`);
    return { kind, value };
  });
  const matches = ({ id, spec, name, status }: Container, { kind, value }: { kind: string; value: string }) => {
    const [, key = '', label] = /^([^=]+)(?:=(.*))?$/.exec(value) ?? [];
    if (kind === 'label') return Object.hasOwn(spec.labels, key) && (label === undefined || spec.labels[key] === label);
    if (kind === 'id') return id.startsWith(value);
    if (kind === 'ancestor') return spec.image.id === engine.images.find(value)?.image.id;
    return kind === 'name' ? new RegExp(value).test(name) : status === value;
  };
  for (const container of engine.containers()) {
    if (!container.running && !flags.has('--all')) continue;
    // Every label must match; of other filters of the same kind, one.
    const met = filters.every((one) =>
      filters.some(
        (other) => (one === other || (one.kind === other.kind && one.kind !== 'label')) && matches(container, other),
      ),
    );
    if (!met) continue;
    output.out(flags.has('--no-trunc') ? container.id : container.id.slice(0, 12));
  }
};

/** `docker rm [-f] [-v] CONTAINER…`: the stand-in has no anonymous volumes. */
export const rm: Command = (engine, _call, args, output) => {
  engine.mustAnswer();
  const flags = readFlags('docker rm', args, { switches: ['-v|--volumes', '-f|--force'] });
  for (const word of flags.words) {
    const container = engine.findContainer(word);
    if (container === undefined || (container.running && !flags.has('--force')))
      throw daemonError(`cannot remove container ${word}`);
    engine.removeContainer(container);
    output.out(word);
  }
};

/** `docker start|restart CONTAINER…`, `docker stop [--time SECONDS] CONTAINER…`, `docker kill --signal NAME CONTAINER…` */
export function processCommand(verb: 'start' | 'stop' | 'restart' | 'kill'): Command {
  return (engine, _call, args, output) => {
    const flags = readFlags(`docker ${verb}`, args, { options: ['-t|--time', '-s|--signal'] });
    engine.mustAnswer();
    for (const word of flags.words) {
      const container = engine.findContainer(word);
      if (container === undefined) throw daemonError(`No such container: ${word}`);
      if (verb === 'kill') {
        if (!container.running) throw daemonError(`cannot kill container: ${word}: container is not running`);
        // The stand-in's programs handle no signals: those that end a program would end it.
        const signal = (flags.value('--signal') ?? 'KILL').replace(/^SIG/, '');
        container.emitSignal(signal);
      } else {
        if (verb !== 'start') container.stop();
        if (verb !== 'stop') container.start();
      }
      output.out(word);
    }
  };
}

/** `docker wait CONTAINER` */
export const wait: Command = async (engine, call, args, output) => {
  const [word = '', ...more] = readFlags('docker wait', args, {}).words;
  if (more.length > 0) throw new NotImplemented(`docker wait ${args.join(' ')}`);
  engine.mustAnswer();
  const container = mustFind(engine, word);
  await container.until(({ running }) => !running, call.signal);
  output.out(`${container.exitCode}`);
};

function mustFind(engine: Engine, word: string): Container {
  const container = engine.findContainer(word);
  if (container === undefined) throw daemonError(`No such container: ${word}`);
  return container;
}

const ADDRESSES = '{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}';

/** Go's templates of labels, of the state and of the name, separated by blanks. */
function fillIn(template: string, { id, spec, status, name, address, finishedAt }: Container): string {
  if (template === ADDRESSES) return `${address}\n`;
  return template.replaceAll(/\{\{([^}]*)\}\}/g, (_, inner: string) => {
    const [, label] = /^index \.Config\.Labels "([^"]+)"$/.exec(inner) ?? [];
    if (label !== undefined) return spec.labels[label] ?? '';
    if (inner === '.State.Status') return status;
    if (inner === '.State.FinishedAt') return timeOf(finishedAt);
    if (inner === '.Id') return id;
    if (inner === '.Name') return `/${name}`;
    throw new NotImplemented(`docker inspect --format ${template}`);
  });
}

/** `docker inspect [--format TEMPLATE] CONTAINER…` */
export const inspect: Command = (engine, _call, args, output) => {
  const flags = readFlags('docker inspect', args, { options: ['-f|--format'] });
  const { words } = flags;
  const template = flags.value('--format');
  if (template !== undefined) {
    engine.mustAnswer();
    for (const word of words) output.out(fillIn(template, mustFind(engine, word)));
    return;
  }
  if (engine.faults.daemonDown) output.out('[]');
  engine.mustAnswer();
  const found = words.flatMap((word) => engine.findContainer(word) ?? []);
  const missing = words.filter((word) => engine.findContainer(word) === undefined);
  const shown = found.map((container) => inspectContainer(container, engine.folder));
  output.out(JSON.stringify(shown, undefined, 4));
  if (missing.length > 0) throw new DockerFailure(missing.map((word) => `Error: No such object: ${word}`).join('\n'));
};

/**
 * `docker logs [--tail N] [--since TIME|SECONDS] [--timestamps] [--follow] CONTAINER`; what it follows is all on standard
 * output.
 */
export const logs: Command = (engine, call, args, output) => {
  const flags = readFlags('docker logs', args, {
    switches: ['-t|--timestamps', '-f|--follow'],
    options: ['-n|--tail', '--since'],
  });
  const tail = flags.value('--tail') ?? `${Number.MAX_SAFE_INTEGER}`;
  const since = sinceOf(flags.value('--since'));
  const [word = '', ...more] = flags.words;
  if (more.length > 0 || !/^[1-9]\d*$/.test(tail) || since === undefined) {
    throw new NotImplemented(`docker logs ${args.join(' ')}`);
  }
  engine.mustAnswer();
  const container = mustFind(engine, word);
  const show = ({ at, text }: LogLine) => (flags.has('--timestamps') ? `${new Date(at).toISOString()} ${text}` : text);
  const first = container.log.filter(({ at }) => at >= since).slice(-Number(tail));
  if (flags.has('--follow')) {
    output.stream = follow(container, first, (line) => `${show(line)}\n`, call.signal);
    return;
  }
  for (const line of first) {
    if (line.stream === 'stdout') output.out(show(line));
    else output.err(show(line));
  }
};

/** In ms since the epoch; undefined for what is not supported. */
function sinceOf(written: string | undefined): number | undefined {
  if (written === undefined) return 0;
  const [, seconds] = /^(\d+)s$/.exec(written) ?? [];
  if (seconds !== undefined) return Date.now() - Number(seconds) * 1_000;
  const time = Date.parse(written);
  return Number.isNaN(time) ? undefined : time;
}

async function* follow(
  container: Container,
  first: readonly LogLine[],
  show: (line: LogLine) => string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let seen = container.logged;
  if (first.length > 0) yield first.map(show).join('');
  while (!signal.aborted) {
    const fresh = container.logged - seen;
    seen = container.logged;
    if (fresh > 0) yield container.log.slice(-fresh).map(show).join('');
    else if (!container.running) return;
    else
      await Promise.race([once(container, 'log', { signal }), once(container, 'change', { signal })]).catch(() => {});
  }
}

/** `docker volume ls -q` */
export const volume: Command = (engine, _call, args, output) => {
  if (args.join(' ') !== 'ls -q') throw new NotImplemented(`docker volume ${args.join(' ')}`);
  engine.mustAnswer();
  for (const name of engine.volumeNames()) output.out(name);
};
