import { createRedactor } from './redactor.js';

/** Properties that hold fixed words of the event schema: a password such as "pull" must not make them unreadable. */
const VOCABULARY = new Set([
  'type',
  'phase',
  'step',
  'level',
  'command',
  'rotation',
  'outcome',
  'source',
  'at',
  'event',
  'task',
  'kind',
]);
/** What such a word or time looks like. Anything else there was written by a droplet, and is treated as text. */
const WORD_OR_TIME = /^[a-z]+([ _-][a-z]+)*$|^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** A copy of plain data with every text in it changed by `change`, except the words of the schema. */
export function mapText<T>(value: T, change: (text: string) => string): T {
  const walk = (item: unknown): unknown => {
    if (typeof item === 'string') return change(item);
    if (Array.isArray(item)) return areLines(item) ? change(item.join('\n')).split('\n') : item.map(walk);
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(
      Object.entries(item).map(([key, inner]) => [
        key,
        VOCABULARY.has(key) && typeof inner === 'string' && WORD_OR_TIME.test(inner) ? inner : walk(inner),
      ]),
    );
  };
  return walk(value) as T;
}

/** Likewise, each text by itself. @param change also gets the name of the field that has the text, or the list of texts */
export function mapEachText<T>(value: T, change: (text: string, field: string) => string): T {
  const walk = (item: unknown, field: string): unknown => {
    if (typeof item === 'string') return change(item, field);
    if (Array.isArray(item)) return item.map((one) => walk(one, field));
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, walk(inner, key)]));
  };
  return walk(value, '') as T;
}

/** A secret may begin in one line of a log and end in the next: lines are changed together. */
function areLines(items: unknown[]): items is string[] {
  return items.length > 1 && items.every((item) => typeof item === 'string' && !item.includes('\n'));
}

/** Bounds what is remembered: in characters of one text, and in texts. */
const LONGEST_KEPT = 10_000;
const MOST_KEPT = 200;

/** Masks the secrets that are known so far: settings bring more of them while a command runs. */
export class Redactor {
  readonly #secrets = new Set<string>();
  readonly #shown = new Set<string>();
  #redact = (text: string): string => text;
  /** What was masked last: the same text goes to the screen, to files, to layers and to hooks. */
  readonly #masked = new Map<string, string>();

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  add(secrets: Iterable<string>): void {
    const before = this.#secrets.size;
    for (const secret of secrets) this.#secrets.add(secret);
    if (this.#secrets.size !== before) this.#renew();
  }

  /** Values that everybody sees anyway: an env file may hold the name of a droplet, which is no secret then. */
  show(values: Iterable<string>): void {
    const added = [...values].filter((value) => !this.#shown.has(value));
    for (const value of added) this.#shown.add(value);
    if (added.length > 0 && [...this.#secrets].some((secret) => added.includes(secret.trim()))) this.#renew();
  }

  #renew(): void {
    this.#redact = createRedactor([...this.#secrets].filter((secret) => !this.#shown.has(secret.trim())));
    this.#masked.clear();
  }

  redact(text: string): string {
    const known = this.#masked.get(text);
    if (known !== undefined) return known;
    const masked = this.#redact(text);
    if (text.length > LONGEST_KEPT) return masked;
    const [oldest] = this.#masked.size < MOST_KEPT ? [] : this.#masked.keys();
    if (oldest !== undefined) this.#masked.delete(oldest);
    this.#masked.set(text, masked);
    return masked;
  }
}
