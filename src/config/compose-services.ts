/** Looks for services that layers name in the compose files here, so that a typo shows before a release is staged. */
import { isTreeMap, type Tree } from './document.js';
import type { ProblemList } from './problems.js';
import { textOf } from './release-env.js';
import type { ReleaseFiles } from './source-files.js';
import { listWords, suggest } from './suggest.js';
import { parseYaml } from './yaml-syntax.js';

/** A service that a layer names. */
export interface NamedService {
  name: string;
  /** `layers.migrate.service` */
  path: string;
  /** `config/deploy.yml:12` */
  place: string;
  /** It may be one that the release no longer has, and that still runs. */
  mayBeGone: boolean;
  /** It is only run in one-off containers, also when it has profiles. */
  isOneOff: boolean;
}

/** @returns warnings; what cannot be is a problem. What cannot be known here is left to compose on a droplet. */
export function checkServices(named: readonly NamedService[], files: ReleaseFiles, problems: ProblemList): string[] {
  if (named.length === 0) return [];
  const found = readServices(files);
  if (found === undefined) return [];
  const known = [...found.keys()];
  const warnings: string[] = [];
  for (const { name, path, place, mayBeGone, isOneOff } of named) {
    if (found.get(name) === 'always' || (isOneOff && found.has(name))) continue;
    const message = found.has(name) ? 'has profiles, so a release does not have it' : 'is in no compose file';
    const meant = suggest(name, known);
    const remedy = found.has(name)
      ? `remove \`profiles:\` from the service ${name}`
      : meant === undefined
        ? `the services are ${listWords(known)}`
        : `did you mean ${meant}?`;
    if (mayBeGone) warnings.push(`${place}: ${path}: the service ${name} ${message}; ${remedy}`);
    else problems.add(place, `${path}: the service ${name} ${message}`, remedy);
  }
  return warnings;
}

type Presence = 'always' | 'with a profile';

/** Undefined when a file cannot be read as compose reads it, or takes services from elsewhere. */
function readServices({ files, composeFiles, envFiles }: ReleaseFiles): Map<string, Presence> | undefined {
  const text = (path: string) => textOf(files.find((file) => file.path === path));
  const choosesProfiles = envFiles.some((path) => /^\s*(export\s+)?COMPOSE_PROFILES\s*=/m.test(text(path) ?? ''));
  const found = new Map<string, Presence>();
  for (const path of composeFiles) {
    const tree = treeOf(text(path));
    if (!isTreeMap(tree) || tree.include !== undefined) return undefined;
    const services = tree.services ?? {};
    if (!isTreeMap(services) || '<<' in services) return undefined;
    for (const [name, service] of Object.entries(services)) {
      const profiles = isTreeMap(service) ? service.profiles : undefined;
      // Lists of several files are joined.
      const isLimited = found.get(name) === 'with a profile' || (Array.isArray(profiles) && profiles.length > 0);
      found.set(name, isLimited && !choosesProfiles ? 'with a profile' : 'always');
    }
  }
  return found.size === 0 ? undefined : found;
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
