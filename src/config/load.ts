import { DeployError } from '../errors.js';
import { checkDocument, checkNames } from './check-document.js';
import { type Complete, completeReleases, type Variant } from './complete-release.js';
import { checkServices } from './compose-services.js';
import { isTreeMap, type Path, valueAt } from './document.js';
import { expandVariables } from './expand.js';
import type { DeployFile } from './file-schema.js';
import type { FileTree } from './file-tree.js';
import type { FreezeWindow } from './freeze.js';
import { withOverrides } from './overrides.js';
import { ProblemList } from './problems.js';
import { environmentsOf, openProject, type Project, placeOf } from './project.js';
import { describeFileError, isFileError } from './read-file.js';
import type { Secret } from './secret.js';
import type { RunCommand } from './secret-sources.js';
import { collectSecrets } from './secret-values.js';
import type { FindHooks, ReadLayers, Section, SectionContext, SettingsOf } from './section.js';
import { SECTIONS } from './sections/index.js';
import type { RoleSettings, Settings } from './settings.js';
import { collectFiles, type FileEntry, type ReleaseEntries, type ReleaseFiles } from './source-files.js';
import { listWords, suggest } from './suggest.js';
import type { ProcessEnv } from './variables.js';

export interface LoadOptions<Added extends readonly Section[] = readonly []> {
  /** Absolute. */
  cwd: string;
  /** From --config; else config/deploy.yml, else environment variables alone. */
  configPath?: string;
  environment: string;
  env: ProcessEnv;
  /**
   * `release` (the default): everything that a deploy takes. `fleet`: what it takes to inspect or to heal droplets; files
   * of the release and the registry's login may be missing, as on a fresh clone. `images`: that, and the registry's login.
   */
  needs?: 'release' | 'fleet' | 'images';
  /** Opens the tree to take the release's files from, given the project's root; undefined: its folder. */
  openTree?: (root: string) => FileTree | undefined;
  /** In runs that roll: makes the handlers of the project's layers. */
  readLayers?: ReadLayers;
  /** Likewise: finds the project's hooks. */
  findHooks?: FindHooks;
  /** Throws to refuse the run when the file is read and right, and no command of `secrets:` has run yet. */
  refuse?: (known: { environment: string; freeze: readonly FreezeWindow[] }) => void;
  /** Sections besides do-deploy's own. */
  sections?: Added;
  /** `KEY=VALUE` each, from --set. */
  set?: readonly string[];
  /** Runs the commands of `secrets:`. */
  runCommand?: RunCommand;
  /** Called for each secret as soon as it is known: what fails later may quote it. */
  onSecret?: (secret: Secret) => void;
}

export interface LoadedSettings extends Settings {
  /** A deploy or rollback needs a confirmation. */
  confirm: boolean;
  /** Whoever changes it confirms its name. */
  isProtected: boolean;
  /** When nothing is deployed. */
  freeze?: FreezeWindow[];
  /** Deploy only when the working tree has no uncommitted changes. */
  requireClean: boolean;
  /** The branch that must contain what is deployed. */
  deployFrom?: string;
}

/**
 * Reads and checks everything that a run needs from this machine; contacts nothing.
 * @throws ConfigError with every problem; DeployError `unknown-environment` or `local-file`
 */
export async function loadSettings<const Added extends readonly Section[] = readonly []>(
  options: LoadOptions<Added>,
): Promise<LoadedSettings & SettingsOf<Added>> {
  const settings = await withFileErrors(() => load(options));
  return settings as LoadedSettings & SettingsOf<Added>;
}

async function load(options: LoadOptions<readonly Section[]>): Promise<LoadedSettings> {
  const sections: readonly Section[] = [...SECTIONS, ...(options.sections ?? [])];
  const problems = new ProblemList();
  const opened = openProject(options, problems);
  if (problems.isEmpty) requireEnvironment(opened, options.environment);
  const document = withOverrides(opened.document, options.environment, options.set ?? [], problems);
  const project = { ...opened, document };

  const notNeeded = sections.filter((section) => !isNeeded(section, options));
  const keysOf = (some: readonly Section[]) => some.flatMap(({ keys }) => Object.keys(keys));
  const without = keysOf(notNeeded.filter(({ readWhereSet }) => !readWhereSet));
  const optional = keysOf(notNeeded.filter(({ readWhereSet }) => readWhereSet));
  const literal = sections.flatMap((section) => section.literal ?? []);
  const scope = { environment: options.environment, without, optional, literal };
  const expanded = expandVariables(document, scope, project.variables, problems);
  if (project.hasFile) for (const section of sections) section.check?.(document, problems);
  checkNames(document, problems);
  const file = checkDocument(document, sections, expanded, problems);
  const settings = await resolveSettings(project, sections, file, options, problems);
  if (!problems.isEmpty) throw problems.toError(subjectOf(project));
  return settings;
}

/** Names of the environments that can be deployed from here. Throws ConfigError, or DeployError `local-file`. */
export async function listEnvironments(options: Omit<LoadOptions, 'environment' | 'needs'>): Promise<string[]> {
  return await withFileErrors(async () => {
    const problems = new ProblemList();
    const project = openProject(options, problems);
    if (!problems.isEmpty) throw problems.toError(subjectOf(project));
    return environmentsOf(project.document);
  });
}

/** Errors of the file system are the user's to solve, also where no line of the configuration names the file. */
async function withFileErrors<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    if (!isFileError(error)) throw error;
    const path = error.path ?? 'A file';
    const { message, remedy } = describeFileError(error, path);
    throw new DeployError('local-file', `${path} ${message}.`, { source: 'user', hint: remedy, cause: error });
  }
}

function subjectOf({ hasFile, document, root }: Project): string {
  return hasFile
    ? document.label
    : `The configuration (there is no config/deploy.yml in ${root}, so variables alone make it)`;
}

function requireEnvironment({ document, hasFile }: Project, name: string): void {
  const environments = valueAt(document.tree, ['environments']);
  // Without any environments the file has problems of its own, reported with the others.
  if (!isTreeMap(environments) || Object.hasOwn(environments, name)) return;
  const known = environmentsOf(document);
  const similar = suggest(name, known);
  const where = hasFile ? `in ${document.label}` : 'without a config/deploy.yml';
  throw new DeployError('unknown-environment', `There is no environment "${name}" ${where}.`, {
    source: 'user',
    hint: `${similar === undefined ? '' : `did you mean ${similar}? `}known: ${listWords(known)}; do-deploy --help lists the commands`,
  });
}

function isNeeded({ neededFor }: Section, { needs = 'release', readLayers }: LoadOptions<readonly Section[]>): boolean {
  if (neededFor === 'rollout') return readLayers !== undefined;
  return neededFor === undefined || needs === 'release' || needs === neededFor;
}

async function resolveSettings(
  project: Project,
  sections: readonly Section[],
  file: DeployFile,
  options: LoadOptions<readonly Section[]>,
  problems: ProblemList,
): Promise<LoadedSettings> {
  const { environment, env, needs = 'release', openTree, readLayers, findHooks } = options;
  const { root, variables, hasFile } = project;
  const merged = merge(file, file.environments?.[environment] ?? {});
  const release: ReleaseEntries = {
    compose: [],
    files: [],
    ownKeys: [],
    declarations: [],
    roles: new Map(),
    secrets: [],
    services: [],
    profiles: [],
  };
  const secrets: Secret[] = [];
  const hide = (secret: Secret) => {
    secrets.push(secret);
    options.onSecret?.(secret);
  };
  const contextFor = (section: Section): SectionContext => ({
    environment,
    root,
    env,
    variables,
    problems: isNeeded(section, options) ? problems : new ProblemList(),
    needs,
    isNeeded: isNeeded(section, options),
    release,
    readLayers,
    findHooks,
    place: (...path) => placeOf(project, environment, path),
    isWritten: (...path) => isWritten(project, environment, path),
    isOwn: (...path) => valueAt(project.document.tree, ['environments', environment, ...path]) !== undefined,
    ofRoles: (key) =>
      Object.entries((merged.roles ?? {}) as Record<string, Record<string, unknown>>).flatMap(([role, own]) =>
        own[key] === undefined ? [] : [{ role, written: own[key] }],
      ),
    isForAll: (...path) => valueAt(project.document.tree, path) !== undefined,
    hide,
  });

  const resolved: object[] = [];
  for (const section of sections) resolved.push(await section.resolve(merged, contextFor(section)));
  const known = Object.assign({}, ...resolved) as SettingsOf<typeof SECTIONS>;
  if (problems.isEmpty) options.refuse?.({ environment, freeze: known.freeze ?? [] });
  const tree = openTree?.(root);
  // In other runs files are read for the secrets in them.
  const ofFiles = needs === 'release' ? problems : new ProblemList();
  const variants = variantsOf(release, known.roles, (files) =>
    collectFiles({ root, environment, hasFile, tree }, { ...release, files }, ofFiles),
  );
  const [collected] = variants;
  // Compose files are the same in all roles; each may turn on profiles in an env file of its own.
  const inFiles = {
    ...collected.files,
    files: variants.flatMap(({ files }) => files.files),
    envFiles: variants.flatMap(({ files }) => files.envFiles),
    isOtherVersion: tree !== undefined,
  };
  const doubts = needs === 'release' ? checkServices(release, inFiles, problems) : [];
  const completed: Complete[] =
    needs === 'release'
      ? await completeReleases(variants, release.secrets, { ...options, root, problems, hide })
      : variants.map(({ files }) => files);
  const [complete = collected.files] = completed;
  const settings = {
    ...known,
    ...complete,
    ...(known.roles && { roles: withOwnFiles(known.roles, variants, completed) }),
    environment,
    ...(options.configPath !== undefined && { config: options.configPath }),
    ...(options.set !== undefined && options.set.length > 0 && { set: options.set }),
    root,
  };
  const warnings = [...new Set([...completed.flatMap((one) => one.warnings ?? []), ...doubts])];
  const files = completed.flatMap((one) => one.files);
  const all = collectSecrets(secrets, variables.fromFiles, files, shownAnyway(settings));
  return { ...settings, ...(warnings.length > 0 && { warnings }), secrets: all };
}

/** The releases that are made: one, and another one for each role that has files or declarations of its own. */
function variantsOf(
  { files, declarations, roles: own }: ReleaseEntries,
  roles: readonly RoleSettings[] = [],
  collect: (files: FileEntry[]) => ReleaseFiles,
): [Variant, ...Variant[]] {
  const ofRoles = [...own].map(([role, one]): Variant => {
    const all = collect([...files, ...one.files]);
    return { role, files: all, declarations: one.declarations ?? declarations };
  });
  const [first, ...others] = ofRoles;
  // Nobody gets the one without: what only roles set would be missing in it.
  if (first !== undefined && own.size === roles.length) return [first, ...others];
  return [{ files: collect(files), declarations }, ...ofRoles];
}

function withOwnFiles(
  roles: readonly RoleSettings[],
  variants: readonly Variant[],
  completed: readonly Complete[],
): RoleSettings[] {
  return roles.map((role) => {
    const own = completed[variants.findIndex((variant) => variant.role === role.name)];
    if (own === undefined) return role;
    const { files, envFiles, variables } = own;
    return { ...role, own: { files, envFiles, variables } };
  });
}

/** Values that the output consists of: if an env file repeats one, masking it would make the output unreadable. */
function shownAnyway(settings: Omit<LoadedSettings, 'secrets'>): string[] {
  const { app, environment, imageTag, apiUrl, ssh, target, roles, registry, rollout } = settings;
  const ofRegistry = [registry?.server, registry?.username, registry?.digitalocean];
  const values = [
    app,
    environment,
    imageTag,
    apiUrl,
    ssh.user,
    rollout.probe ? rollout.probe.url : undefined,
    ...ofRegistry,
    ...wordsOf(target),
    ...(roles ?? []).flatMap((role) => wordsOf(role.target)),
  ];
  return values.filter((value) => value !== undefined);
}

function wordsOf(target: LoadedSettings['target']): (string | undefined)[] {
  switch (target.kind) {
    case 'load_balancer':
      return [target.ref, target.pool];
    case 'droplet':
      return [String(target.id)];
    case 'droplets':
      return target.droplets.map(String);
    case 'tag':
      return [target.tag];
  }
}

/** Whether the file has something there: for the environment, or for all. */
function isWritten({ document }: Project, environment: string, path: Path): boolean {
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
