/**
 * Looks in the compose files here for services that layers name and for profiles that are turned on, so that a typo shows
 * before a release is staged.
 */
import { isTreeMap, type Tree } from './document.js';
import type { ProblemList } from './problems.js';
import { textOf } from './release-env.js';
import type { ReleaseEntries, ReleaseFiles } from './source-files.js';
import { listWords, suggest } from './suggest.js';
import { parseYaml } from './yaml-syntax.js';

/** A profile that is turned on, for the environment or for a role. */
export interface NamedProfile {
  entry: string;
  /** `config/deploy.yml:12` */
  place: string;
  /** `profiles[0]` */
  path: string;
}

/** A service that a layer names. */
export interface NamedService {
  name: string;
  /** `layers.migrate.service` */
  path: string;
  /** `config/deploy.yml:12` */
  place: string;
  /** An earlier version of the files may not have it yet. */
  mayBeNew: boolean;
  /** It is only run in one-off containers, also when its profiles are off. */
  isOneOff: boolean;
  /** It is stopped while its droplet still serves. */
  isWorker?: boolean | undefined;
}

/**
 * Checks the services that the configuration names, and the profiles that it turns on.
 * @param files.isOtherVersion they are those of a version in git, and the configuration is that of the working tree
 * @returns warnings; what cannot be is a problem. What cannot be known here is left to compose on a droplet.
 */
export function checkServices(
  { services: named, profiles }: Pick<ReleaseEntries, 'services' | 'profiles'>,
  { isOtherVersion, ...files }: ReleaseFiles & { isOtherVersion: boolean },
  problems: ProblemList,
): string[] {
  if (named.length === 0 && profiles.length === 0) return [];
  const found = readServices(files);
  if (found === undefined) return [];
  checkProfiles(profiles, found, problems);
  const on = new Set(profiles.map(({ entry }) => entry));
  const isOn = (limits: readonly string[]) =>
    limits.length === 0 || limits.some((profile) => on.has(profile)) || (on.size === 0 && choosesProfiles(files));
  const known = [...found.keys()];
  const warnings: string[] = [];
  for (const { name, path, place, mayBeNew, isOneOff, isWorker } of named) {
    const service = found.get(name);
    const serves = isWorker === true && service !== undefined && service.isPublished;
    if (service !== undefined && !serves && (isOneOff || !service.isClear || isOn(service.profiles))) continue;
    const off = serves
      ? 'has published ports: it would be stopped while the droplet still serves'
      : 'has profiles, so a release does not have it';
    const message = service ? off : 'is in no compose file';
    const meant = suggest(name, known);
    let remedy = service
      ? `remove \`profiles:\` from the service ${name}, or turn one on: \`profiles: [${service.profiles[0]}]\``
      : meant === undefined
        ? `the services are ${listWords(known)}`
        : `did you mean ${meant}?`;
    if (serves) remedy = `take ${name} out of ${path.replace(/\[\d+\]$/, '')}, or remove \`ports:\` from the service`;
    if (mayBeNew && isOtherVersion) warnings.push(`${place}: ${path}: the service ${name} ${message}; ${remedy}`);
    else problems.add(place, `${path}: the service ${name} ${message}`, remedy);
  }
  return warnings;
}

/** Compose takes a profile that no service has without a word, and starts nothing for it. */
function checkProfiles(
  profiles: readonly NamedProfile[],
  found: ReadonlyMap<string, Found>,
  problems: ProblemList,
): void {
  const services = [...found.values()];
  if (services.some(({ isClear }) => !isClear)) return;
  const known = [...new Set(services.flatMap((service) => service.profiles))];
  for (const { entry, place, path } of profiles) {
    if (known.includes(entry)) continue;
    const meant = suggest(entry, known);
    let remedy = `did you mean ${meant}?`;
    if (known.length === 0) remedy = `add \`profiles: [${entry}]\` to a service, or remove it`;
    else if (meant === undefined) remedy = `the profiles are ${listWords(known)}`;
    problems.add(place, `${path}: no service of the compose files has the profile ${entry}`, remedy);
  }
}

interface Found {
  /** Those of all files; none: the service is always on. */
  profiles: readonly string[];
  /** False when it may have others: by a variable, or from a service that it extends. */
  isClear: boolean;
  /** Others than the droplet itself can connect to it. */
  isPublished: boolean;
}

/** Undefined when a file cannot be read as compose reads it, or takes services from elsewhere. */
function readServices({ files, composeFiles }: ReleaseFiles): Map<string, Found> | undefined {
  const found = new Map<string, Found>();
  for (const path of composeFiles) {
    const tree = treeOf(textOf(files.find((file) => file.path === path)));
    if (!isTreeMap(tree) || tree.include !== undefined) return undefined;
    const services = tree.services ?? {};
    if (!isTreeMap(services) || '<<' in services) return undefined;
    for (const [name, service] of Object.entries(services)) {
      const { profiles: written = [], ports, extends: base, '<<': merged } = isTreeMap(service) ? service : {};
      const own = Array.isArray(written) ? written.filter((one) => typeof one === 'string') : [];
      const isPlain = Array.isArray(written) && own.length === written.length && !own.some((one) => one.includes('$'));
      const before = found.get(name) ?? { profiles: [], isClear: true, isPublished: false };
      found.set(name, {
        // Lists of several files are joined.
        profiles: [...before.profiles, ...own],
        isClear: before.isClear && isPlain && base === undefined && merged === undefined,
        isPublished: before.isPublished || (Array.isArray(ports) && ports.some(isForOthers)),
      });
    }
  }
  return found.size === 0 ? undefined : found;
}

/** An entry of `ports:`. One whose address is a variable cannot be known. */
function isForOthers(port: Tree): boolean {
  if (isTreeMap(port)) return !isOwn(String(port.host_ip ?? ''));
  const [, address = ''] = /^(.+):[^:]*:[^:]*$/.exec(String(port)) ?? [];
  return !isOwn(address);
}

function isOwn(address: string): boolean {
  return /^(127\.|localhost$|\[?::1\]?$)/.test(address) || address.includes('$');
}

function choosesProfiles({ files, envFiles }: ReleaseFiles): boolean {
  const text = (path: string) => textOf(files.find((file) => file.path === path));
  return envFiles.some((path) => /^\s*(export\s+)?COMPOSE_PROFILES\s*=/m.test(text(path) ?? ''));
}

function treeOf(text: string | undefined): Tree | undefined {
  const parsed = text === undefined ? undefined : parseYaml(text);
  if (parsed === undefined || 'message' in parsed) return undefined;
  try {
    return parsed.document.toJS() as Tree;
  } catch {
    // Aliases without an anchor, or too many.
    return undefined;
  }
}
