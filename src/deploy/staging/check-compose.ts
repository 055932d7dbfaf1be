/**
 * Finds what would go wrong only when the containers of a release start, or later: a release must be refused while all
 * droplets still serve. Pure, from `docker compose config --format json` and the list of the release's files.
 */
import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import { configFile } from '../core/do-deploy.js';
import { PARTIAL } from '../release/compose-run.js';

export interface ComposeProblem {
  code:
    | 'compose-writable-bind'
    | 'compose-file-missing'
    | 'compose-port-clash'
    | 'container-name-replicas'
    | 'replica-missing'
    | 'replica-unchecked';
  /** Absent if it concerns the whole project. */
  service?: string;
  /** The file or folder, relative to the project; absent where none is concerned. */
  file?: string;
  /** One sentence. */
  message: string;
  /** What to change, one sentence. */
  remedy: string;
  /** Where compose files define it: keys, the last of a volume being its target. */
  at: string[];
}

/** What a droplet must have outside of the release. */
export interface ComposeNeeds {
  networks: { name: string; at: string[] }[];
  volumes: { name: string; at: string[] }[];
  containers: { name: string; service: string; at: string[] }[];
  /** Absolute paths that must exist. */
  paths: { path: string; what: string; at: string[] }[];
}

export interface ReleaseContents extends Pick<Settings, 'config'> {
  id: string;
  /** Paths relative to the project. */
  files: readonly string[];
  /** Paths of what is shared by all releases: it is there, and stays. */
  shared: readonly string[];
  /** A script prepares the release on the droplet and may create more files: missing ones cannot be known. */
  prepared: boolean;
  /** Services with a build context are built on the droplet. */
  build: boolean;
  /** Services that are switched one after the other; `asked`: the app is asked whether it is well. */
  replicas?: { services: readonly string[]; asked: boolean };
}

const volume = z.object({
  type: z.string(),
  source: z.string().optional(),
  target: z.string().default(''),
  read_only: z.boolean().optional(),
  bind: z.object({ create_host_path: z.boolean().optional() }).nullish(),
});

const healthcheck = z.object({ disable: z.boolean().optional(), test: z.array(z.string()).nullish() });

const port = z.object({
  published: z.union([z.string(), z.number()]).nullish(),
  host_ip: z.string().nullish(),
  protocol: z.string().nullish(),
});

const count = z.number().int().nonnegative().nullish();

const service = z.object({
  ports: z.array(port).nullish(),
  scale: count,
  deploy: z.object({ replicas: count }).nullish(),
  depends_on: z.record(z.string(), z.object({ condition: z.string().optional() })).nullish(),
  container_name: z.string().nullish(),
  volumes: z.array(volume).nullish(),
  build: z.object({ context: z.string().optional() }).nullish(),
  healthcheck: healthcheck.nullish(),
});

const file = z.object({ file: z.string().optional() });

const external = z.object({ name: z.string(), external: z.union([z.boolean(), z.object({})]).optional() });

const config = z.object({
  services: z.record(z.string(), service),
  secrets: z.record(z.string(), file).nullish(),
  configs: z.record(z.string(), file).nullish(),
  networks: z.record(z.string(), external).nullish(),
  volumes: z
    .record(
      z.string(),
      external.extend({ driver_opts: z.record(z.string(), z.union([z.string(), z.number()])).nullish() }),
    )
    .nullish(),
});

type Config = z.infer<typeof config>;

/** @param stdout of `docker compose config --format json`, run in the folder in which the release is staged */
export function checkCompose(
  stdout: string,
  release: ReleaseContents,
): { problems: ComposeProblem[]; needs: ComposeNeeds } {
  const project = parse(stdout);
  const services = Object.entries(project.services);
  return {
    problems: [
      ...services.flatMap(([name, { volumes }]) => bindProblems(name, volumes ?? [], release)),
      ...volumeProblems(project, release),
      ...fileProblems(project, release),
      ...replicaProblems(project, release),
      ...services.flatMap(([name, one]) => nameProblems(name, one)),
      ...portProblems(project),
      ...(release.build ? services.flatMap(([name, { build }]) => buildProblems(name, build?.context, release)) : []),
    ],
    needs: {
      networks: externals('networks', project.networks),
      volumes: externals('volumes', project.volumes),
      containers: services.flatMap(([name, { container_name: taken }]) =>
        taken ? [{ name: taken, service: name, at: ['services', name, 'container_name'] }] : [],
      ),
      paths: neededPaths(project, release),
    },
  };
}

/** Compose's answer was read once already: what this schema does not expect is not checked. */
function parse(stdout: string): Config {
  const parsed = config.safeParse(JSON.parse(stdout));
  return parsed.success ? parsed.data : { services: {} };
}

/** The path in the release's folder, relative to it; undefined for a path elsewhere. */
function inRelease(path: string, { id }: Pick<ReleaseContents, 'id'>): string | undefined {
  const [, inside] = path.split(`/releases/${id}${PARTIAL}`);
  // Compose may have read the files in a folder of links within the staged one.
  return inside?.replace(/^\/(?:\.view(?:\/|$))?/, '');
}

function isShared(path: string, { shared }: ReleaseContents): boolean {
  return shared.some((one) => `${path}/`.startsWith(one.replace(/\/?$/, '/')));
}

function holds(release: ReleaseContents, path: string): boolean {
  if (isShared(path, release)) return true;
  return path === '' || release.files.some((one) => one === path || one.startsWith(`${path}/`));
}

function bindProblems(name: string, volumes: readonly z.infer<typeof volume>[], release: ReleaseContents) {
  return volumes.flatMap(({ type, source = '', target, read_only: readOnly }): ComposeProblem[] => {
    const path = type === 'bind' ? inRelease(source, release) : undefined;
    if (path === undefined || isShared(path, release)) return [];
    const at = ['services', name, 'volumes', target];
    const shown = path || 'the whole release';
    if (!readOnly) {
      const places = 'a named volume or an absolute path on the droplet';
      const remedy = holds(release, path)
        ? `If the container only reads it, mount it read-only (\`:ro\`); otherwise use ${places}.`
        : `Add \`${path}/\` to shared: in ${configFile(release)}, or use ${places}.`;
      return [
        {
          code: 'compose-writable-bind',
          service: name,
          file: path,
          message: `service ${name} can write to ${shown} (mounted at ${target}), but each deploy has a new folder, so the data would be lost`,
          remedy,
          at,
        },
      ];
    }
    if (release.prepared || holds(release, path)) return [];
    return [missing(name, path, `service ${name} mounts ${path} at ${target}`, at, release)];
  });
}

/** A named volume can be a bind mount too, by the options of the local driver. */
function volumeProblems({ volumes }: Config, release: ReleaseContents): ComposeProblem[] {
  return Object.entries(volumes ?? {}).flatMap(([name, { driver_opts: options }]): ComposeProblem[] => {
    const path = inRelease(String(options?.device ?? ''), release);
    if (path === undefined) return [];
    return [
      {
        code: 'compose-writable-bind',
        file: path,
        message: `volume ${name} is ${path} in the release's folder, but each deploy has a new folder, so the data would be lost`,
        remedy: 'Remove the option `device`, or set it to an absolute path on the droplet.',
        at: ['volumes', name, 'driver_opts', 'device'],
      },
    ];
  });
}

function fileProblems(project: Config, release: ReleaseContents): ComposeProblem[] {
  if (release.prepared) return [];
  return (['secrets', 'configs'] as const).flatMap((kind) =>
    Object.entries(project[kind] ?? {}).flatMap(([name, { file: source = '' }]): ComposeProblem[] => {
      const path = inRelease(source, release);
      if (path === undefined || holds(release, path)) return [];
      return [
        missing(undefined, path, `${kind.slice(0, -1)} ${name} is read from ${path}`, [kind, name, 'file'], release),
      ];
    }),
  );
}

function buildProblems(name: string, context: string | undefined, release: ReleaseContents): ComposeProblem[] {
  const path = context === undefined ? undefined : inRelease(context, release);
  if (path === undefined || release.prepared || holds(release, path)) return [];
  return [missing(name, path, `service ${name} is built from ${path}`, ['services', name, 'build'], release)];
}

/** A replica that nobody can verify would take the other one down with it. */
function replicaProblems({ services }: Config, release: ReleaseContents): ComposeProblem[] {
  const { replicas } = release;
  return (replicas?.services ?? []).flatMap((name): ComposeProblem[] => {
    const at = ['services', name];
    const found = services[name];
    if (found === undefined) {
      const message = `replicas: names the service ${name}, which is in no compose file, or only with a profile`;
      const remedy = `Correct replicas: in ${configFile(release)}, or add the service.`;
      return [{ code: 'replica-missing', service: name, message, remedy, at: ['services'] }];
    }
    if (replicas?.asked || isChecked(found.healthcheck)) return [];
    const message = `service ${name} is one of the replicas, and has no healthcheck`;
    const remedy = `Give each replica a \`healthcheck:\`, or set rollout.health.http in ${configFile(release)}.`;
    return [{ code: 'replica-unchecked', service: name, message, remedy, at }];
  });
}

function replicasOf({ scale, deploy }: z.infer<typeof service>): number {
  return scale ?? deploy?.replicas ?? 1;
}

/** Docker gives a name to one container. */
function nameProblems(name: string, one: z.infer<typeof service>): ComposeProblem[] {
  const { container_name: taken } = one;
  if (!taken || replicasOf(one) < 2) return [];
  return [
    {
      code: 'container-name-replicas',
      service: name,
      message: `service ${name} has ${replicasOf(one)} replicas, and container_name gives all of them one name`,
      remedy: 'Remove container_name, or run one replica.',
      at: ['services', name, 'container_name'],
    },
  ];
}

interface Binding {
  service: string;
  /** `8080/tcp` */
  port: string;
  /** '': all addresses. */
  address: string;
}

/** The second container that wants a port of the droplet does not start. A range is compose's to divide. */
function portProblems({ services }: Config): ComposeProblem[] {
  // One that has ended holds no port.
  const awaited = Object.values(services).flatMap(({ depends_on: others }) =>
    Object.entries(others ?? {}).flatMap(([name, { condition }]) =>
      condition === 'service_completed_successfully' ? name : [],
    ),
  );
  const running = Object.entries(services).filter(([name, one]) => !awaited.includes(name) && replicasOf(one) > 0);
  const bindings = running.flatMap(([name, { ports }]) =>
    (ports ?? []).flatMap(({ published, host_ip: address, protocol }): Binding[] =>
      /^\d{1,5}$/.test(String(published ?? '')) && String(published) !== '0'
        ? [{ service: name, port: `${published}/${protocol ?? 'tcp'}`, address: address ?? '' }]
        : [],
    ),
  );
  const problem = (name: string, message: string): ComposeProblem => ({
    code: 'compose-port-clash',
    service: name,
    message,
    remedy: 'Publish another port, or none: services reach each other by their names.',
    at: ['services', name, 'ports'],
  });
  const ofReplicas = running.flatMap(([name, one]) => {
    const [first] = bindings.filter(({ service: owner }) => owner === name);
    if (first === undefined || replicasOf(one) < 2) return [];
    return [
      problem(
        name,
        `service ${name} has ${replicasOf(one)} replicas, and only one of them can have port ${first.port}`,
      ),
    ];
  });
  const ofTwo = bindings.flatMap((one, index) => {
    const other = bindings.slice(0, index).find((before) => overlap(before, one));
    return other === undefined
      ? []
      : [problem(one.service, `services ${other.service} and ${one.service} both publish port ${one.port}`)];
  });
  return [...ofReplicas, ...ofTwo];
}

function overlap(one: Binding, other: Binding): boolean {
  if (one.port !== other.port) return false;
  const [first, second] = [one.address, other.address];
  if (first === '' || second === '' || first === second) return true;
  const isSix = (address: string) => address.includes(':');
  return isSix(first) === isSix(second) && [first, second].some((address) => address === '0.0.0.0' || address === '::');
}

/** Whether compose files give a service a healthcheck. */
export function isChecked(check: z.infer<typeof healthcheck> | null | undefined): boolean {
  return check != null && !check.disable && check.test?.[0] !== 'NONE';
}

function missing(
  name: string | undefined,
  path: string,
  use: string,
  at: string[],
  release: ReleaseContents,
): ComposeProblem {
  return {
    code: 'compose-file-missing',
    service: name,
    file: path,
    message: `${use}, which is not among the release's files`,
    remedy: addToFiles(path, release),
    at,
  };
}

export function addToFiles(path: string, of: Pick<Settings, 'config'>): string {
  // A name without an extension is more likely a folder.
  const entry = /\.[^/.]+$/.test(path) ? path : `${path}/`;
  return `Add \`${entry}\` to files: in ${configFile(of)}.`;
}

function externals(kind: string, declared: Config['networks']): { name: string; at: string[] }[] {
  return Object.entries(declared ?? {}).flatMap(([key, { name, external: isExternal }]) =>
    isExternal ? [{ name, at: [kind, key] }] : [],
  );
}

/** Paths on the droplet itself that Docker does not create. */
function neededPaths(project: Config, release: ReleaseContents): ComposeNeeds['paths'] {
  const outside = (path: string) => path.startsWith('/') && inRelease(path, release) === undefined;
  const files = (['secrets', 'configs'] as const).flatMap((kind) =>
    Object.entries(project[kind] ?? {}).map(([name, { file: path = '' }]) => ({
      path,
      what: `${kind.slice(0, -1)} ${name}`,
      at: [kind, name, 'file'],
    })),
  );
  const binds = Object.entries(project.services).flatMap(([name, { volumes }]) =>
    (volumes ?? [])
      .filter(({ type, bind }) => type === 'bind' && bind?.create_host_path !== true)
      .map(({ source: path = '', target }) => ({
        path,
        what: `service ${name}`,
        at: ['services', name, 'volumes', target],
      })),
  );
  return [...files, ...binds].filter(({ path }) => outside(path));
}

/** The file of the release that compose did not find, by its message; undefined for another one. */
export function missingFile(stderr: string, { id }: { id: string }): string | undefined {
  const [, opened, named] =
    /\b(?:open|stat) (\/.*): no such file or directory|find env file: (\/.*)$/m.exec(stderr) ?? [];
  return inRelease(opened ?? named ?? '', { id });
}
