/** `--set KEY=VALUE`: settings for one run, before those of the environment. They are checked like what the file has. */
import { type ConfigDocument, isTreeMap, type Path, type Tree, valueAt } from './document.js';
import type { ProblemList } from './problems.js';
import { parseYaml } from './yaml-syntax.js';

/** Everybody on this machine can read a command line: what may be a secret comes from a variable. */
const PRIVATE: readonly Path[] = [['registry', 'password'], ['secrets'], ['hooks', 'secrets']];

const EXAMPLE = 'for example --set rollout.batch=2';

/** The document with the overrides in the environment's own map. What is wrong with their form becomes a problem. */
export function withOverrides(
  document: ConfigDocument,
  environment: string,
  overrides: readonly string[],
  problems: ProblemList,
): ConfigDocument {
  let { tree } = document;
  const paths: Path[] = [];
  for (const written of overrides) {
    const read = readOverride(written);
    if ('message' in read) {
      problems.add(read.place, read.message, read.remedy);
      continue;
    }
    const path = ['environments', environment, ...read.path];
    paths.push(path);
    tree = withValue(tree, path, read.value);
  }
  if (paths.length === 0) return document;
  const place = (path: Path) => {
    const above = paths.filter((one) => begins(path, one)).sort((one, other) => other.length - one.length);
    // A map that only the override has.
    const below = valueAt(document.tree, path) === undefined ? paths.filter((one) => begins(one, path)) : [];
    const [own = below[0]] = above;
    return own === undefined ? document.place(path) : placeOf(own.slice(2));
  };
  return { label: document.label, tree, place };
}

function begins(path: Path, start: Path): boolean {
  return start.every((step, at) => step === path[at]);
}

/** The value may be long, or a secret: it is not repeated. */
function placeOf(path: Path): string {
  return `--set ${path.join('.')}=…`;
}

type Override = { path: Path; value: Tree } | { place: string; message: string; remedy: string };

function readOverride(written: string): Override {
  const [, key = '', text = ''] = /^([^=]*)=([\s\S]*)$/.exec(written) ?? [];
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(key) || key.split('.').includes('__proto__')) {
    return { place: '--set', message: 'is not KEY=VALUE, with the name of a setting', remedy: EXAMPLE };
  }
  const path = key.split('.');
  const isPrivate = PRIVATE.some((one) => begins(path, one));
  if (isPrivate && !text.includes('$')) {
    const message = 'may be a secret, and command lines can be read by others on this machine';
    return { place: placeOf(path), message, remedy: `set a variable, and write --set '${key}=$NAME'` };
  }
  const value = readValue(text);
  if (value !== undefined) return { path, value };
  return { place: placeOf(path), message: 'is not a YAML value', remedy: `put quotes around text: --set '${key}="…"'` };
}

/** As YAML reads it: `2`, `[1, 50%]`, `{ timeout: 30s }`, or text. */
function readValue(text: string): Tree | undefined {
  if (text.trim() === '') return '';
  const parsed = parseYaml(text);
  if ('message' in parsed) return undefined;
  try {
    return parsed.document.toJS() as Tree;
  } catch {
    return undefined;
  }
}

/** Creates the maps on the way. What is no map is replaced: then it is the schema that says what is wrong. */
function withValue(tree: Tree | undefined, [step, ...rest]: Path, value: Tree): Tree {
  if (step === undefined) return value;
  const map = isTreeMap(tree) ? tree : {};
  return { ...map, [step]: withValue(valueAt(map, [step]), rest, value) };
}
