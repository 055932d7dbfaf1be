import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  visit,
} from 'yaml';
import type { ProblemList } from './problems.js';

/** Keys and list positions, from the top. */
export type Path = readonly (string | number)[];

/** A value of the file as plain data. */
export type Tree = string | number | boolean | null | Tree[] | { [key: string]: Tree };

/** The configuration as written, and where each value stands. */
export interface ConfigDocument {
  /** What messages call it: `config/deploy.yml`. */
  label: string;
  tree: Tree;
  /** `config/deploy.yml:12`, for the key at this path, or for what encloses the place where it is missing. */
  place(path: Path): string;
}

/**
 * Reads YAML. Syntax errors and repeated keys become problems; the tree then holds what could be read.
 * @throws ConfigError where values are elsewhere and can't be had: what is missing then would be told of falsely
 */
export function readDocument(text: string, label: string, problems: ProblemList): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const placeAt = (offset: number) => `${label}:${Math.max(1, lines.linePos(offset).line)}`;

  for (const error of document.errors) {
    const [start, end] = error.pos;
    if (error.code === 'DUPLICATE_KEY') {
      const key = /^[^\s:]+/.exec(text.slice(start))?.[0] ?? text.slice(start, end);
      problems.add(placeAt(start), `${key} is written twice`, 'keep one of the two');
    } else {
      problems.add(
        placeAt(start),
        `this is not YAML: ${error.message}`,
        'fix the syntax (indentation, brackets, quotes)',
      );
    }
  }

  const lost = lostReferences(document);
  for (const { offset, message, remedy } of lost) problems.add(placeAt(offset), message, remedy);
  if (lost.length > 0) throw problems.toError(label);

  let tree: Tree;
  try {
    tree = (document.toJS() as Tree | undefined) ?? {};
  } catch (error) {
    // Aliases that expand to too much.
    problems.add(`${label}:1`, error instanceof Error ? error.message : String(error), 'write the values out');
    throw problems.toError(label);
  }

  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  return {
    label,
    tree,
    place(path) {
      let offset = 0;
      let node = resolve(document.contents);
      for (const step of path) {
        const found = child(node, step);
        if (found === undefined) break;
        offset = found.at.range?.[0] ?? offset;
        node = resolve(found.node);
      }
      return placeAt(offset);
    },
  };
}

/** Aliases without an anchor, and merge keys, which YAML 1.2 does not know. */
function lostReferences(document: Document): { offset: number; message: string; remedy: string }[] {
  const lost: ReturnType<typeof lostReferences> = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      const message = `*${alias.source} stands for nothing: no &${alias.source} comes before it`;
      lost.push({ offset: alias.range?.[0] ?? 0, message, remedy: 'write the value out' });
    },
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== '<<') return;
      const remedy = 'write its keys out; what all environments share can stand at the top level';
      lost.push({ offset: key.range?.[0] ?? 0, message: 'merge keys (<<) are not supported', remedy });
    },
  });
  return lost;
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

/** Where a child begins (its key, or the list item itself), and the child. */
function child(node: unknown, step: string | number): { at: Node; node: unknown } | undefined {
  if (isMap<ParsedNode, ParsedNode | null>(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
    return pair && { at: pair.key, node: pair.value };
  }
  if (isSeq<ParsedNode>(node)) {
    const item = node.items[Number(step)];
    return item && { at: item, node: item };
  }
  return undefined;
}
