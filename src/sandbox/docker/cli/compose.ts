import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { build } from '../build.js';
import { ServicePlan } from '../compose/container-spec.js';
import { loadProject } from '../compose/load.js';
import type { ComposeProject } from '../compose/model.js';
import { up } from '../compose/up.js';
import type { Engine } from '../engine.js';
import { DockerFailure, NotImplemented } from '../failure.js';
import type { Call, Command, Output } from './call.js';
import { type Flags, readFlags } from './flags.js';
import { credentialsFor } from './login.js';
import { programOf } from './programs.js';

const COMPOSE_VERSION = '2.26.1';

/** Compose's exit code for an image that cannot be pulled (compose v2, PullFailure). */
const PULL_FAILURE = 18;

interface Context {
  engine: Engine;
  call: Call;
  load(wanted?: string): ComposeProject;
  /** Absolute. */
  files: string[];
  flags: Flags;
  output: Output;
}

interface Verb {
  switches?: string[];
  options?: string[];
  /** The combinations that are supported, as the flags' long names. */
  /** Words after the verb's options: a service and its command, or services. */
  words?: boolean | 'optional';
  supports?: (flags: Flags) => boolean;
  run: (context: Context) => void | Promise<void>;
}

const VERBS: Record<string, Verb> = {
  config: {
    switches: ['-q|--quiet'],
    options: ['--format'],
    words: 'optional',
    supports: (flags) => (flags.has('--quiet') && flags.words.length < 2) || flags.value('--format') === 'json',
    run: config,
  },
  pull: { switches: ['-q|--quiet', '--ignore-buildable'], run: pull },
  build: { run: buildAll },
  run: {
    words: true,
    switches: ['--rm', '-d|--detach', '--no-deps', '-T|--no-TTY', '--interactive=false'],
    options: ['-l|--label', '--name', '--entrypoint'],
    supports: (flags) => flags.has('--rm') !== flags.has('--detach') && flags.has('--no-deps'),
    run: runOneOff,
  },
  up: {
    words: 'optional',
    switches: ['-d|--detach', '--no-build', '--remove-orphans', '--force-recreate', '--no-deps'],
    options: ['--pull'],
    supports: (flags) =>
      // Either the whole project, or services without those that they depend on.
      ['--detach', '--no-build', flags.words.length > 0 ? '--no-deps' : '--remove-orphans'].every((flag) =>
        flags.has(flag),
      ) &&
      !(flags.has('--no-deps') && flags.has('--remove-orphans')) &&
      flags.value('--pull') === 'never',
    run: upAll,
  },
};

/** `docker compose --project-name NAME [-f FILE]… [--env-file FILE]… VERB …` */
export const compose: Command = (engine, call, args, output) => {
  const notSupported = new NotImplemented(`docker compose ${args.join(' ')}`);
  const before = readFlags('docker compose', args, { options: ['-p|--project-name', '-f|--file', '--env-file'] }, true);
  const [name = '', ...rest] = before.words;
  if (name === 'version' && rest.join(' ') === '--short') return output.out(COMPOSE_VERSION);
  const verb = VERBS[name];
  const projectName = before.value('--project-name');
  if (verb === undefined || projectName === undefined) throw notSupported;
  const flags = readFlags(`docker compose ${name}`, rest, verb, verb.words === true);
  const fits = verb.words === 'optional' || flags.words.length > 0 === (verb.words === true);
  if (!fits || verb.supports?.(flags) === false) throw notSupported;

  const files = before.values('--file').map((file) => resolve(call.cwd, file));
  const warn = (message: string) => {
    const time = new Date().toISOString().replace(/\.\d+/, '');
    output.err(`time="${time}" level=warning msg=${JSON.stringify(message)}`);
  };
  const { cwd, env } = call;
  const envFiles = before.values('--env-file');
  const load = (wanted?: string) => loadProject({ projectName, files, envFiles, cwd, env, warn, wanted });
  return verb.run({ engine, call, load, files, flags, output });
};

/** Works without the daemon. */
function config({ load, flags, output }: Context): void {
  const [wanted] = flags.words;
  const { disabled: _, ...project } = load(wanted);
  if (wanted !== undefined && !(wanted in project.services)) throw new DockerFailure(`no such service: ${wanted}`);
  if (flags.has('--quiet')) return;
  const services = Object.entries(project.services).map(([name, { unnamed, image, ...rest }]) => [
    name,
    { ...rest, image: unnamed ? undefined : image },
  ]);
  // The output is a compose file again, so dollars are escaped.
  const escaped = (_key: string, value: unknown) => (typeof value === 'string' ? value.replaceAll('$', '$$$$') : value);
  output.stdout += JSON.stringify({ ...project, services: Object.fromEntries(services) }, escaped, 2);
}

async function pull({ engine, call, load, flags, output }: Context): Promise<void> {
  const wanted = Object.values(load().services).filter((one) => !(flags.has('--ignore-buildable') && one.build));
  const images = new Set(wanted.map(({ image }) => image));
  engine.mustAnswer();
  const credentials = credentialsFor(call);
  const pulled = await Promise.allSettled([...images].map((name) => engine.pull(name, credentials, call.signal)));
  const failure = pulled.find((result) => result.status === 'rejected');
  if (failure === undefined) return;
  if (!(failure.reason instanceof DockerFailure)) throw failure.reason;
  output.err(' Error');
  throw new DockerFailure(failure.reason.message, PULL_FAILURE);
}

async function buildAll({ engine, call, load, output }: Context): Promise<void> {
  const services = Object.entries(load().services);
  engine.mustAnswer();
  const credentials = credentialsFor(call);
  for (const [name, service] of services) {
    if (service.build === undefined) continue;
    output.err(`#1 [${name} internal] load build definition from ${service.build.dockerfile}`);
    const built = await build(engine, service.build, (base) => engine.pull(base, credentials, call.signal));
    engine.images.tag(service.image, built);
    output.err(`#2 writing image ${built.id} done`);
  }
}

async function upAll({ engine, call, load, files, flags, output }: Context): Promise<void> {
  const project = load();
  engine.mustAnswer();
  await up(engine, project, {
    labels: {
      'com.docker.compose.project.config_files': files.join(','),
      'com.docker.compose.project.working_dir': dirname(files[0] ?? ''),
    },
    forceRecreate: flags.has('--force-recreate'),
    only: flags.words,
    signal: call.signal,
    print: (line) => output.err(line),
  });
}

/**
 * `docker compose run --no-deps SERVICE COMMAND…`: with `--rm` its output is the command's, and its exit code as well;
 * with `--detach` it only starts the container. A command that the image lacks is a program of this machine.
 */
async function runOneOff({ engine, call, load, flags, output }: Context): Promise<void> {
  const [name = '', ...given] = flags.words;
  const entrypoint = flags.value('--entrypoint');
  // Only one word in quotes.
  const words = entrypoint === undefined ? given : [entrypoint.slice(1, -1).replaceAll("'\\''", "'"), ...given];
  const project = load(name);
  const service = project.services[name];
  if (service === undefined) throw new DockerFailure(`no such service: ${name}`);
  engine.mustAnswer();
  const { image } = engine.images.mustFind(service.image);
  const own = image.command?.(words);
  const become = own === undefined ? programOf(words, {}) : undefined;
  if (become !== undefined && flags.has('--detach'))
    throw new NotImplemented('docker compose run --detach of a program');
  // It runs in the client's process.
  const program = own ?? (() => {});
  const plan = new ServicePlan(project, name, service, image);
  const labels = Object.fromEntries(flags.values('--label').map((label) => label.split(/=(.*)/s).slice(0, 2)));
  const spec = plan.oneOffSpec(engine, labels, { ...image, program });
  const containerName = flags.value('--name') ?? `${project.name}-${name}-run-${randomBytes(6).toString('hex')}`;
  const container = engine.createContainer(containerName, spec);
  if (flags.has('--detach')) {
    container.start();
    return output.out(container.name);
  }
  if (become !== undefined) {
    container.startAs(call.pid);
    call.signal.addEventListener('abort', () => engine.removeContainer(container));
    output.become = { ...become, env: { ...spec.env, ...become.env } };
    return;
  }
  try {
    container.start();
    await container.until(({ status }) => status === 'exited', call.signal);
  } finally {
    engine.removeContainer(container);
  }
  for (const { stream, text } of container.log) {
    if (stream === 'stdout') output.out(text);
    else output.err(text);
  }
  if (container.exitCode !== 0) throw new DockerFailure('', container.exitCode);
}
