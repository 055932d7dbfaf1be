import { dirname, resolve } from 'node:path';
import { build } from '../build.js';
import { loadProject } from '../compose/load.js';
import type { ComposeProject } from '../compose/model.js';
import { containersOf, up } from '../compose/up.js';
import type { Engine } from '../engine.js';
import { DockerFailure, NotImplemented } from '../failure.js';
import type { Call, Command, Output } from './call.js';
import { composePsLine } from './compose-ps.js';
import { readFlags } from './flags.js';
import { credentialsFor } from './login.js';

const COMPOSE_VERSION = '2.26.1';

/** Compose's exit code for an image that can't be pulled (compose v2, PullFailure). */
const PULL_FAILURE = 18;

interface Context {
  engine: Engine;
  call: Call;
  projectName: string;
  load(): ComposeProject;
  /** Absolute. */
  files: string[];
  output: Output;
}

const VERBS = new Map<string, (context: Context, args: string[]) => void | Promise<void>>([
  ['config', config],
  ['pull', pull],
  ['build', buildVerb],
  ['up', upVerb],
  ['ps', ps],
]);

/** `docker compose [--project-name NAME] [-f FILE]… [--env-file FILE]… VERB …` */
export const compose: Command = (engine, call, args, output) => {
  const flags = readFlags('docker compose', args, { options: ['-p|--project-name', '-f|--file', '--env-file'] }, true);
  const [verb = '', ...rest] = flags.words;
  if (verb === 'version') {
    printVersion(rest, output);
    return;
  }
  const run = VERBS.get(verb);
  if (run === undefined) throw new NotImplemented(`docker compose ${args.join(' ')}`);

  const projectName = flags.value('--project-name');
  if (projectName === undefined) throw new NotImplemented('docker compose without --project-name');
  if (!/^[a-z0-9][a-z0-9_-]*$/.test(projectName)) {
    throw new DockerFailure(
      `invalid project name ${JSON.stringify(projectName)}: must consist only of lowercase alphanumeric characters, hyphens, and underscores as well as start with a letter or number`,
    );
  }
  const files = flags.values('--file').map((file) => resolve(call.cwd, file));
  const load = () =>
    loadProject({
      projectName,
      files,
      envFiles: flags.values('--env-file'),
      cwd: call.cwd,
      env: call.env,
      warn: (message) =>
        output.err(
          `time="${new Date().toISOString().replace(/\.\d+/, '')}" level=warning msg=${JSON.stringify(message)}`,
        ),
    });
  return run({ engine, call, projectName, load, files, output }, rest);
};

function printVersion(args: string[], output: Output): void {
  const flags = readFlags('docker compose version', args, { switches: ['--short'] });
  if (!flags.has('--short') || flags.words.length > 0)
    throw new NotImplemented(`docker compose version ${args.join(' ')}`);
  output.out(COMPOSE_VERSION);
}

/** Needs no daemon. */
function config({ load, output }: Context, args: string[]): void {
  const flags = readFlags('docker compose config', args, {
    switches: ['-q|--quiet', '--services', '--images'],
    options: ['--format'],
  });
  const format = flags.value('--format');
  if (flags.words.length > 0) throw new NotImplemented(`docker compose config ${args.join(' ')}`);
  const project = load();
  if (flags.has('--quiet')) return;
  if (flags.has('--services')) {
    for (const name of Object.keys(project.services)) output.out(name);
  } else if (flags.has('--images')) {
    for (const { image } of Object.values(project.services)) output.out(image);
  } else if (format === 'json') {
    // What is printed can be read again as a compose file: its dollars are escaped.
    output.stdout += JSON.stringify(withoutEmpty(project), escapeDollars, 2);
  } else {
    throw new NotImplemented(`docker compose config ${args.join(' ')}`);
  }
}

function withoutEmpty({ name, services, networks, volumes }: ComposeProject): object {
  const some = (map: object) => Object.keys(map).length > 0;
  const printed = Object.entries(services).map(([key, { unnamed, image, ...rest }]) => [
    key,
    unnamed ? rest : { ...rest, image },
  ]);
  return {
    name,
    services: Object.fromEntries(printed),
    ...(some(networks) && { networks }),
    ...(some(volumes) && { volumes }),
  };
}

function escapeDollars(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('$', '$$$$') : value;
}

async function pull({ engine, call, load, output }: Context, args: string[]): Promise<void> {
  const flags = readFlags('docker compose pull', args, { switches: ['-q|--quiet', '--ignore-buildable'] });
  if (flags.words.length > 0) throw new NotImplemented(`docker compose pull ${args.join(' ')}`);
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

async function buildVerb({ engine, call, load, output }: Context, args: string[]): Promise<void> {
  if (args.length > 0) throw new NotImplemented(`docker compose build ${args.join(' ')}`);
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

async function upVerb({ engine, call, load, files, output }: Context, args: string[]): Promise<void> {
  const flags = readFlags('docker compose up', args, {
    switches: ['-d|--detach', '--no-build', '--remove-orphans', '--force-recreate'],
    options: ['--pull'],
  });
  const known =
    flags.has('--detach') && flags.has('--no-build') && flags.value('--pull') === 'never' && flags.words.length === 0;
  if (!known) throw new NotImplemented(`docker compose up ${args.join(' ')}`);
  const project = load();
  engine.mustAnswer();
  await up(engine, project, {
    labels: {
      'com.docker.compose.project.config_files': files.join(','),
      'com.docker.compose.project.working_dir': dirname(files[0] ?? ''),
    },
    removeOrphans: flags.has('--remove-orphans'),
    forceRecreate: flags.has('--force-recreate'),
    signal: call.signal,
    say: (line) => output.err(line),
  });
}

function ps({ engine, projectName, output }: Context, args: string[]): void {
  const flags = readFlags('docker compose ps', args, { switches: ['-a|--all'], options: ['--format'] });
  if (flags.value('--format') !== 'json' || flags.words.length > 0)
    throw new NotImplemented(`docker compose ps ${args.join(' ')}`);
  engine.mustAnswer();
  const byName = containersOf(engine, projectName).sort((one, other) => (one.name < other.name ? -1 : 1));
  for (const container of byName) {
    if (container.running || flags.has('--all')) output.out(JSON.stringify(composePsLine(container)));
  }
}
