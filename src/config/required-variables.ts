/** `${NAME:?}` in compose files: what compose on a droplet would refuse after the upload, found before it. */
import { LineCounter, parseDocument, visit } from 'yaml';
import { interpolate, type Lookup } from './interpolate.js';

export interface MissingVariable {
  name: string;
  /** From 1. */
  line: number;
}

/**
 * The variables that a compose file requires and that are not set, or empty where it also refuses that, each where it is
 * required first. None in a file that is no YAML: compose says what is wrong with it.
 */
export function findMissing(text: string, lookup: Lookup): MissingVariable[] {
  if (!text.includes('?')) return [];
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent' });
  if (document.errors.length > 0) return [];
  const missing = new Map<string, MissingVariable>();
  visit(document, {
    Scalar(key, { value, range }) {
      // compose leaves keys as they are.
      if (key === 'key' || typeof value !== 'string') return;
      const line = lines.linePos(range?.[0] ?? 0).line;
      const onMissing = (name: string) => {
        if (!missing.has(name)) missing.set(name, { name, line });
      };
      interpolate(value, lookup, { onMissing });
    },
  });
  return [...missing.values()];
}
