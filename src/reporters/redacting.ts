/** Properties that hold fixed words of the event schema: a password such as "pull" must not make them unreadable. */
const VOCABULARY = new Set(['type', 'phase', 'step', 'level', 'command', 'rotation', 'outcome', 'source', 'at']);
/** What such a word or time looks like. Anything else there was written by a droplet, and is treated as text. */
const WORD_OR_TIME = /^[a-z]+([ -][a-z]+)*$|^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** Shorter secrets would mask ordinary text. */
const SHORTEST_SECRET = 4;
const SHORTEST_FRAGMENT = 8;
const SHORTEST_LINE = 16;

/** A copy of plain data with every text in it changed by `change`, except the words of the schema. */
export function mapText<T>(value: T, change: (text: string) => string): T {
  const walk = (item: unknown): unknown => {
    if (typeof item === 'string') return change(item);
    if (Array.isArray(item)) return item.map(walk);
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

/** Masks the secrets that are known so far: settings bring more of them while a command runs. */
export class Redactor {
  readonly #secrets = new Set<string>();
  #redact = (text: string): string => text;

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  add(secrets: Iterable<string>): void {
    for (const secret of secrets) this.#secrets.add(secret);
    this.#redact = createRedactor(this.#secrets);
  }

  redact(text: string): string {
    return this.#redact(text);
  }
}

/** Replaces each secret with `[secret]`, also where it is encoded as JSON, in a URL or as base64, even as part of a text. */
export function createRedactor(secrets: Iterable<string>): (text: string) => string {
  const forms = new Set([...secrets].filter((secret) => secret.length >= SHORTEST_SECRET).flatMap(formsOf));
  if (forms.size === 0) return (text) => text;
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  return (text) => text.replace(pattern, '[secret]');
}

function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64');
  const fragments = [0, 1, 2]
    .map((offset) => base64Fragment(secret, offset))
    .filter((fragment) => fragment.length >= SHORTEST_FRAGMENT);
  const url = encodeURIComponent(secret);
  // A key of many lines is often shown line by line.
  const lines = secret.split('\n').map((line) => line.trim());
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    url,
    url.replaceAll('%20', '+'),
    ...[base64, ...fragments].flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]),
    ...(lines.length < 2 ? [] : lines.filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----'))),
  ];
}

/**
 * The part of its base64 that stays the same inside a longer text, as the password does in "user:password". It depends
 * on where in a group of three bytes the secret starts; characters that also hold bits of a neighbour are left out.
 */
function base64Fragment(secret: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
  const first = Math.ceil((offset * 8) / 6);
  return bytes.toString('base64').slice(first, Math.floor((bytes.length * 8) / 6));
}
