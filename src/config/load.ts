import { DeployError } from '../errors.js';
import { checkDocument, checkNames, checkTargets } from './check-document.js';
import { isTreeMap, valueAt } from './document.js';
import { parseDuration } from './duration.js';
import type { FileTree } from './file-tree.js';
import { ProblemList } from './problems.js';
import { environmentsOf, openProject, type Project, placeOf } from './project.js';
import { resolveSsh } from './resolve-ssh.js';
import { apiUrl, DEFAULTS, type DeployFile, type EnvironmentSection } from './schema.js';
import { Secret } from './secret.js';
import { collectSecrets } from './secret-values.js';
import type { RolloutSettings, Settings, TargetSettings } from './settings.js';
import { collectFiles } from './source-files.js';
import { listWords, suggest } from './suggest.js';
import { expandVariables, type ProcessEnv } from './variables.js';

export interface LoadOptions {
  /** Absolute. */
  cwd: string;
  /** From --config; else config/deploy.yml, else environment variables alone. */
  configPath?: string;
  environment: string;
  env: ProcessEnv;
  /**
   * `release` (the default): everything that a deploy takes. `fleet`: what it takes to look at droplets or to heal
   * them; files of the release and the registry's login may be missing, as on a fresh clone. `images`: that, and the
   * registry's login.
   */
  needs?: 'release' | 'fleet' | 'images';
  /** Where the release's files are looked for, given the project's root; undefined: in its folder. */
  openTree?: (root: string) => FileTree | undefined;
}

export interface LoadedSettings extends Settings {
  /** Ask before deploying, when there is somebody to ask. */
  confirm: boolean;
  /** Deploy only when the working tree has no uncommitted changes. */
  requireClean: boolean;
  /** The branch that what is deployed must be on. */
  deployFrom?: string;
}

/**
 * Reads and checks everything that a run needs from this machine; contacts nothing.
 * @throws ConfigError with every problem at once; DeployError `unknown-environment`
 */
export function loadSettings(options: LoadOptions): LoadedSettings {
  const problems = new ProblemList();
  const project = openProject(options, problems);
  const { document } = project;
  if (problems.isEmpty) requireEnvironment(project, options.environment);

  const scope = { environment: options.environment, without: options.needs === 'fleet' ? ['registry'] : [] };
  const { tree, unknown } = expandVariables(document, scope, project.variables, problems);
  // Without a file there may be no name of a balancer: then the account has only one.
  if (project.hasFile) checkTargets(document, problems);
  checkNames(document, problems);
  const file = checkDocument(document, tree, unknown, problems);
  const settings = resolveSettings(project, file, options, problems);
  if (!problems.isEmpty) throw problems.toError(subjectOf(project));
  return settings;
}

/** Names of the environments that can be deployed from here. */
export function listEnvironments(options: Omit<LoadOptions, 'environment' | 'needs'>): string[] {
  const problems = new ProblemList();
  const project = openProject(options, problems);
  if (!problems.isEmpty) throw problems.toError(subjectOf(project));
  return environmentsOf(project.document);
}

function subjectOf({ hasFile, document, root }: Project): string {
  return hasFile
    ? document.label
    : `The configuration (there is no config/deploy.yml in ${root}, so variables alone make it)`;
}

function requireEnvironment({ document, hasFile }: Project, name: string): void {
  const environments = valueAt(document.tree, ['environments']);
  // A file without any environments has problems of its own, told with the others.
  if (!isTreeMap(environments) || Object.hasOwn(environments, name)) return;
  const known = environmentsOf(document);
  const similar = suggest(name, known);
  const where = hasFile ? `in ${document.label}` : 'without a config/deploy.yml';
  throw new DeployError('unknown-environment', `There is no environment "${name}" ${where}.`, {
    source: 'user',
    hint: `${similar === undefined ? '' : `did you mean ${similar}? `}known: ${listWords(known)}; do-deploy --help lists the commands`,
  });
}

function resolveSettings(
  project: Project,
  file: Partial<DeployFile>,
  { environment, env, needs, openTree }: LoadOptions,
  problems: ProblemList,
): LoadedSettings {
  const { root, variables } = project;
  const section: EnvironmentSection = file.environments?.[environment] ?? {};
  const merged: EnvironmentSection = merge(file, section);

  const token = readToken(project, problems);
  const ssh = resolveSsh(project, merged.ssh ?? {}, environment, env, problems);
  const registry = needs === 'fleet' ? undefined : resolveRegistry(project, merged.registry, environment, problems);
  const entriesOf = (written: readonly string[], path: string[]) =>
    written.map((entry, index) => ({ entry, place: placeOf(project, environment, [...path, index]) }));
  const composePath = isWritten(project, environment, ['compose', 'files']) ? ['compose', 'files'] : ['compose'];
  const tree = openTree?.(root);
  const release = collectFiles(
    { root, environment, hasFile: project.hasFile, ...(tree && { tree }) },
    {
      compose: entriesOf(merged.compose?.files ?? DEFAULTS.compose, composePath),
      files: entriesOf(merged.files ?? DEFAULTS.files, ['files']),
      prepare:
        merged.prepare === undefined
          ? undefined
          : { entry: merged.prepare, place: placeOf(project, environment, ['prepare']) },
    },
    // Those that are here are still read, for the secrets in them.
    needs === undefined || needs === 'release' ? problems : new ProblemList(),
  );

  return {
    app: merged.app ?? '',
    environment,
    imageTag: merged.image_tag ?? DEFAULTS.image_tag,
    apiUrl: resolveApiUrl(project, merged.api_url, problems),
    token,
    ssh,
    target: targetOf(section),
    root,
    ...release,
    ...(merged.compose?.build && { build: true }),
    requireClean: merged.require_clean ?? false,
    ...(merged.deploy_from !== undefined && { deployFrom: merged.deploy_from }),
    ...(registry && { registry }),
    rollout: resolveRollout(merged.rollout ?? {}),
    keepReleases: merged.keep_releases ?? DEFAULTS.keep_releases,
    secrets: collectSecrets([token, registry?.password, ssh.privateKey], variables.fromFiles, release.files),
    confirm: merged.confirm ?? environment === 'production',
  };
}

/** Whether the file says something there: for the environment, or for all. */
function isWritten({ document }: Project, environment: string, path: string[]): boolean {
  return [path, ['environments', environment, ...path]].some((one) => valueAt(document.tree, one) !== undefined);
}

/** Maps are merged, everything else is replaced. */
function merge(base: Record<string, unknown>, overrides: Record<string, unknown>): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(overrides)) {
    const below = result[key];
    if (value === undefined) continue;
    result[key] = isPlainMap(below) && isPlainMap(value) ? merge(below, value) : value;
  }
  return result;
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function targetOf({ droplet, load_balancer, autoscale_pool }: EnvironmentSection): TargetSettings {
  if (droplet !== undefined) return { kind: 'droplet', id: droplet };
  return {
    kind: 'load_balancer',
    ref: load_balancer,
    pool: autoscale_pool,
  };
}

function readToken({ variables }: Project, problems: ProblemList): Secret {
  const name = variables.get('DO_TOKEN') ? 'DO_TOKEN' : 'DIGITALOCEAN_ACCESS_TOKEN';
  const token = variables.get(name)?.trim();
  if (!token) {
    const remedy = `create one at https://cloud.digitalocean.com/account/api/tokens; then ${variables.howToSet('DO_TOKEN')}`;
    problems.add('DO_TOKEN', 'the token for the DigitalOcean API is not set', remedy);
  } else if (!/^[\x21-\x7e]+$/.test(token)) {
    problems.add(name, 'the token holds a space, a line break or a letter that no token has', 'copy it again');
  }
  return new Secret(token ?? '');
}

function resolveApiUrl({ variables }: Project, written: string | undefined, problems: ProblemList): string {
  const override = variables.get('DIGITALOCEAN_API_URL');
  const checked = apiUrl.safeParse(override || undefined);
  if (!checked.success) {
    problems.add('DIGITALOCEAN_API_URL', checked.error.issues[0]?.message ?? '', `for example ${DEFAULTS.api_url}`);
  }
  // Callers append /droplets and the like.
  return (checked.data ?? written ?? DEFAULTS.api_url).replace(/\/+$/, '');
}

function resolveRegistry(
  project: Project,
  written: EnvironmentSection['registry'],
  environment: string,
  problems: ProblemList,
): Settings['registry'] {
  if (written === undefined) return undefined;
  const { server = DEFAULTS.registry.server, username, password } = written;
  for (const [key, value] of Object.entries({ username, password })) {
    // It may be there, but be wrong or come from a variable that is not set: that is told already.
    if (value !== undefined || isWritten(project, environment, ['registry', key])) continue;
    const place = placeOf(project, environment, ['registry']);
    problems.add(place, `registry has no ${key}`, `write \`${key}: $DOCKER_${key.toUpperCase()}\` below it`);
  }
  return { server, username: username ?? '', password: new Secret(password ?? '') };
}

function resolveRollout(written: NonNullable<EnvironmentSection['rollout']>): RolloutSettings {
  const { drain, health, interrupt_grace } = DEFAULTS.rollout;
  const defaultMs = (text: string) => parseDuration(text) ?? 0;
  return {
    batch: written.batch ?? [DEFAULTS.rollout.batch],
    minInRotation: written.min_in_rotation,
    drainTimeoutMs: written.drain?.timeout ?? defaultMs(drain.timeout),
    healthTimeoutMs: written.health?.timeout ?? defaultMs(health.timeout),
    onFailure: written.on_failure ?? DEFAULTS.rollout.on_failure,
    interruptGraceMs: written.interrupt_grace ?? defaultMs(interrupt_grace),
    probeUrl: written.probe,
  };
}
