/** Files beside a compose file that its services need on the droplets. */
import { posix } from 'node:path';
import { isTreeMap, type Tree } from '../config/document.js';
import { parseYaml } from '../config/yaml-syntax.js';

export interface Mount {
  /** From the project's folder. */
  path: string;
  isReadOnly: boolean;
}

export interface ComposeNeeds {
  /** `env_file:` of services, from the project's folder. */
  envFiles: readonly string[];
  mounts: readonly Mount[];
  /** Some service has a `build:`. */
  isBuilt: boolean;
}

/** What cannot be read has no needs: a deploy says what is wrong with it. */
export function composeNeeds(path: string, text: string): ComposeNeeds {
  const services = servicesIn(text);
  const folder = posix.dirname(path);
  const inProject = (written: Tree | undefined) => {
    if (typeof written !== 'string' || written.includes('$') || /^[/~]/.test(written)) return [];
    const found = posix.normalize(posix.join(folder, written)).replace(/\/$/, '');
    return found === '.' || found.startsWith('..') ? [] : [found];
  };
  const envFiles = services.flatMap(({ env_file }) =>
    [env_file ?? []].flat().flatMap((one) => inProject(isTreeMap(one) ? one.path : one)),
  );
  const mounts = services.flatMap(({ volumes }) =>
    [volumes ?? []].flat().flatMap((one) => {
      const { source, isReadOnly } = mountOf(one);
      return inProject(source).map((found) => ({ path: found, isReadOnly }));
    }),
  );
  return { envFiles: [...new Set(envFiles)], mounts, isBuilt: services.some(({ build }) => build !== undefined) };
}

function servicesIn(text: string): Record<string, Tree>[] {
  const parsed = parseYaml(text);
  if ('message' in parsed) return [];
  try {
    const tree = parsed.document.toJS() as Tree;
    const services = isTreeMap(tree) ? tree.services : undefined;
    return isTreeMap(services) ? Object.values(services).filter(isTreeMap) : [];
  } catch {
    // Aliases without an anchor, or too many.
    return [];
  }
}

/** A source that is no path names a volume. */
function mountOf(written: Tree): { source?: Tree; isReadOnly: boolean } {
  if (isTreeMap(written)) {
    return { source: written.type === 'bind' ? written.source : undefined, isReadOnly: written.read_only === true };
  }
  const [source = '', , mode = ''] = String(written).split(':');
  return { source: source.startsWith('.') ? source : undefined, isReadOnly: mode.split(',').includes('ro') };
}
