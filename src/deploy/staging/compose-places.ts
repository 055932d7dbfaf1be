/** Finds the lines of compose files, for messages. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';

export interface ComposeText {
  path: string;
  text: string;
}

/**
 * Where the last of the files defines something: `compose/docker-compose.yml:12`. Undefined if no file does, for example
 * because it comes from an included one.
 * @param keys its place; the last key of a volume or a port is matched with an entry's text or its target
 */
export function findPlace(files: readonly ComposeText[], keys: readonly string[]): string | undefined {
  for (const { path, text } of files.toReversed()) {
    const lines = new LineCounter();
    let node: unknown = parseDocument(text, { lineCounter: lines, merge: true }).contents;
    for (const key of keys) node = childOf(node, key);
    const [start] = (node as { range?: [number, number, number] | null } | undefined)?.range ?? [];
    if (start !== undefined) return `${path}:${lines.linePos(start).line}`;
  }
  return undefined;
}

function childOf(node: unknown, key: string): unknown {
  if (isMap(node)) return node.get(key, true);
  if (!isSeq(node)) return undefined;
  return node.items.find((item) => {
    if (isScalar(item)) return String(item.value).split(':').includes(key);
    return isMap(item) && item.get('target') === key;
  });
}
