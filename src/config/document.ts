import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type ParsedNode, visit, type YAMLMap } from 'yaml';
import type { ProblemList } from './problems.js';
import { parseYaml } from './yaml-syntax.js';

/** Keys and list positions, from the top. */
export type Path = readonly (string | number)[];

/** A value of the file as plain data. */
export type Tree = string | number | boolean | null | Tree[] | { [key: string]: Tree };

/** The configuration as written, and where each value stands. */
export interface ConfigDocument {
  /** Its name in messages: `config/deploy.yml`. */
  label: string;
  tree: Tree;
  /** `config/deploy.yml:12`, for the key at this path, or for what encloses the place where it is missing. */
  place(path: Path): string;
}

/** As many values as a file of 1 MiB can hold; aliases could make any number of it. */
const MAX_VALUES = 500_000;

/**
 * Reads YAML. Repeated keys become problems; the tree then has the last of them.
 * @throws ConfigError where the text or a part of it cannot be read: what is then missing would be reported falsely
 */
export function readDocument(text: string, label: string, problems: ProblemList): ConfigDocument {
  const parsed = parseYaml(text);
  if ('message' in parsed) {
    problems.add(`${label}:${parsed.line}`, parsed.message, parsed.remedy);
    throw problems.toError(label);
  }
  const { document, lineAt } = parsed;
  const placeAt = (offset: number) => `${label}:${lineAt(offset)}`;

  const { lost, targets } = followAliases(document);
  for (const { offset, message, remedy } of lost) problems.add(placeAt(offset), message, remedy);
  if (lost.length > 0) throw problems.toError(label);
  reportRepeatedKeys(document, placeAt, problems);

  let tree: Tree;
  try {
    tree = (document.toJS() as Tree | undefined) ?? {};
    if (isLargerThan(MAX_VALUES, tree)) throw new ReferenceError('too many values');
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    problems.add(`${label}:1`, 'aliases (*) repeat too much', 'write the values out');
    throw problems.toError(label);
  }

  const pairs = new PairIndex();
  const resolve = (node: unknown) => (isAlias(node) ? targets.get(node) : node);
  return {
    label,
    tree,
    place(path) {
      let offset = 0;
      let node = resolve(document.contents);
      for (const step of path) {
        const found = pairs.child(node, step);
        if (found === undefined) break;
        offset = found.at.range?.[0] ?? offset;
        node = resolve(found.node);
      }
      return placeAt(offset);
    },
  };
}

interface LostReference {
  offset: number;
  message: string;
  remedy: string;
}

/** What each alias stands for, and what stands for nothing: aliases without an anchor or of themselves, and merge keys. */
function followAliases(document: Document.Parsed): { targets: Map<unknown, unknown>; lost: LostReference[] } {
  const anchors = new Map<string, unknown>();
  const targets = new Map<unknown, unknown>();
  const lost: LostReference[] = [];
  visit(document, {
    Node(_, node, path) {
      const offset = node.range?.[0] ?? 0;
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
        return;
      }
      const target = anchors.get(node.source);
      targets.set(node, target);
      // Its name is not shown: it may be a password that begins with an asterisk.
      if (target === undefined) {
        const remedy = 'put quotes around a value that begins with an asterisk';
        lost.push({ offset, message: 'an alias (*) has no anchor (&) before it', remedy });
      } else if (path.some((above) => above === target)) {
        lost.push({ offset, message: 'an alias (*) stands for what contains it', remedy: 'write the value out' });
      }
    },
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== '<<') return;
      const remedy = 'write its keys out; settings that environments share can stand at the top level';
      lost.push({ offset: key.range?.[0] ?? 0, message: 'merge keys (<<) are not supported', remedy });
    },
  });
  return { targets, lost };
}

function reportRepeatedKeys(
  document: Document.Parsed,
  placeAt: (offset: number) => string,
  problems: ProblemList,
): void {
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name)) {
          problems.add(placeAt(key.range?.[0] ?? 0), `${showPath([name])} is defined twice`, 'keep one of the two');
        }
        seen.add(name);
      }
    },
  });
}

function isLargerThan(most: number, tree: Tree): boolean {
  const pending: Tree[] = [tree];
  for (let count = 0; pending.length > 0; count += 1) {
    if (count + pending.length > most) return true;
    const value = pending.pop();
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) pending.push(inner);
  }
  return false;
}

/** Longest part of a path that is shown whole. */
const SHOWN_LENGTH = 80;

/** `rollout.drain.timeout`, as messages name a key. */
export function showPath(path: Path): string {
  const clip = (step: string) => (step.length > SHOWN_LENGTH ? `${step.slice(0, SHOWN_LENGTH)}…` : step);
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : clip(step)))
    .join('.')
    .replaceAll('.[', '[');
}

/** The value at a path, or undefined. */
export function valueAt(tree: Tree | undefined, path: Path): Tree | undefined {
  let value = tree;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string | number, Tree>)[step];
  }
  return value;
}

/** Whether it is a map, not a list or a plain value. */
export function isTreeMap(value: Tree | undefined): value is { [key: string]: Tree } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Child {
  /** Its key, or the list item itself. */
  at: Node;
  node: unknown;
}

/** Finds children by name; a map is searched once, however many of its keys are asked for. */
class PairIndex {
  readonly #ofMaps = new Map<YAMLMap, Map<string, Child>>();

  child(node: unknown, step: string | number): Child | undefined {
    if (isMap<ParsedNode, ParsedNode | null>(node)) return this.#childrenOf(node).get(String(step));
    const item = isSeq<ParsedNode>(node) ? node.items[Number(step)] : undefined;
    return item && { at: item, node: item };
  }

  #childrenOf(map: YAMLMap<ParsedNode, ParsedNode | null>): Map<string, Child> {
    const known = this.#ofMaps.get(map);
    if (known !== undefined) return known;
    const children = new Map<string, Child>();
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? String(key.value) : undefined;
      if (name !== undefined && !children.has(name)) children.set(name, { at: key, node: value });
    }
    this.#ofMaps.set(map, children);
    return children;
  }
}
