import { type ConfigDocument, isTreeMap, type Path, showPath, type Tree, valueAt } from './document.js';
import type { ProblemList } from './problems.js';
import type { Variables } from './variables.js';

/**
 * The tree with `$NAME` and `${NAME}` replaced (`$$` is a plain `$`). What cannot be replaced is left out, and its path
 * is among `unknown`: a variable that is not set (a problem, if this run needs it), and what this run does not need:
 * other environments, values that the environment replaces, and the keys in `without`. Variables below the keys in
 * `optional` may be unset. Values at `literal` paths (`*` is any key) stay as they are.
 */
export function expandVariables(
  document: ConfigDocument,
  {
    environment,
    without,
    optional = [],
    literal = [],
  }: { environment: string; without: readonly string[]; optional?: readonly string[]; literal?: readonly Path[] },
  variables: Variables,
  problems: ProblemList,
): { tree: Tree; unknown: Path[] } {
  const unknown: Path[] = [];
  const overrides = valueAt(document.tree, ['environments', environment]);

  const isOwn = (path: Path) => path[0] === 'environments' && path[1] === environment;
  const isBelow = (keys: readonly string[], path: Path) => keys.includes(String(isOwn(path) ? path[2] : path[0]));

  function isNeeded(path: Path): boolean {
    if (isBelow(without, path)) return false;
    return isOwn(path) || (path[0] !== 'environments' && !isReplaced(overrides, path));
  }

  function isLiteral(path: Path): boolean {
    const own = path[0] === 'environments' ? path.slice(2) : path;
    return literal.some(
      (pattern) => pattern.length === own.length && pattern.every((step, at) => step === '*' || step === own[at]),
    );
  }

  function expandText(text: string, path: Path): string | undefined {
    if (isLiteral(path)) return text;
    const names = variablesIn(text);
    if (names.length > 0 && !isNeeded(path)) {
      unknown.push(path);
      return undefined;
    }
    const missing = names.filter((name) => !variables.get(name));
    for (const name of isBelow(optional, path) ? [] : missing) {
      const state = variables.get(name) === undefined ? 'is not set' : 'is empty';
      problems.add(document.place(path), `$${name} ${state} (for ${showPath(path)})`, variables.howToSet(name));
    }
    if (missing.length > 0) {
      unknown.push(path);
      return undefined;
    }
    return text.replace(REFERENCE, (whole, braced?: string, bare?: string) => {
      const name = braced ?? bare;
      return name === undefined ? whole.slice(1) : (variables.get(name) ?? '');
    });
  }

  function expand(value: Tree, path: Path): Tree | undefined {
    if (typeof value === 'string') return expandText(value, path);
    if (Array.isArray(value)) {
      const items = value.map((item, index) => expand(item, [...path, index]));
      // A list with a missing item is left out as a whole: problems of later items would name the wrong lines.
      return items.includes(undefined) ? undefined : (items as Tree[]);
    }
    if (!isTreeMap(value)) return value;
    const pairs = Object.entries(value).map(([key, item]) => [key, expand(item, [...path, key])] as const);
    return Object.fromEntries(pairs.filter((pair): pair is [string, Tree] => pair[1] !== undefined));
  }

  return { tree: expand(document.tree, []) ?? {}, unknown };
}

/** Names of the variables that a text refers to. */
export function variablesIn(text: string): string[] {
  return [...new Set([...text.matchAll(REFERENCE)].flatMap((match) => match[1] ?? match[2] ?? []))];
}

/** `$$`, `${NAME}` or `$NAME`; the names are the groups. */
const REFERENCE = /\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

/** Whether `overrides` has a value of its own there: at the path, or a list or plain value above it. */
function isReplaced(overrides: Tree | undefined, path: Path): boolean {
  let value = overrides;
  for (const step of path) {
    if (!isTreeMap(value)) return value !== undefined;
    value = Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value !== undefined && !isTreeMap(value);
}
