/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** Texts that programs stumble over, and ways to spoil a text or a value with them. */
import fc from 'fast-check';

/** Bounds an input, in characters. */
const MAX_LENGTH = 200_000;

const HOSTILE = [
  ...[
    '',
    ' ',
    '\t',
    '\r\n',
    '\n',
    '\0',
    '\ud800',
    '\ufeff',
    '\u2028',
    '\u202etxt',
    'é',
    '😀',
    '\u007f',
    '\u0085',
    '\u00a0',
  ],
  ...[
    '\u001b]52;c;ZXZpbA==\u0007',
    '\u001b[2J',
    '\u009b2J',
    '\u001b',
    '::add-mask::x',
    '##[add-mask]y',
    '\n::error::z',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype', 'length', 'null', 'undefined', 'true'],
  ...['0', '-1', '1e300', '1e999', 'NaN', 'Infinity', '0x10', '1_000', '٣', '9'.repeat(400), '99999999999999999999'],
  ...[
    '$',
    '$$',
    '${',
    '${A',
    '${A:-',
    '${A:?}',
    '$A',
    '$(id)',
    '`id`',
    '"',
    "'",
    '\\',
    '\\\\',
    '%',
    '%h',
    '%zz',
    '#',
    ' #',
  ],
  ...[
    '!',
    '&',
    '*',
    '&a',
    '*a',
    '&a [*a]',
    '<<: *a',
    '!!js/function x',
    '!',
    '---',
    '...',
    '{',
    '}',
    '[',
    ']',
    '[[',
    '- - -',
  ],
  ...[
    ':',
    '=',
    ',',
    ';',
    '|',
    '>',
    '@',
    '~',
    '/',
    '//',
    '../..',
    '/proc/self/environ',
    '-',
    '--',
    '---',
    '-x',
    '--json',
  ],
  ...[
    'https://user:pass@host/',
    'http://localhost:@host/',
    'file:///etc/passwd',
    'HTTP/1.1 200',
    'a\u0000b',
    'x '.repeat(50),
  ],
];

/** Repeated as often as it may be: what takes quadratic time shows. */
const PIECES = [
  ...[
    'a',
    ' ',
    '\t',
    '\n',
    '\\',
    '"',
    "'",
    '[',
    '{',
    '- ',
    '? ',
    '&a ',
    '*a ',
    '${',
    '${B-',
    '%',
    '%2',
    '&#x0',
    '*a',
    '#;',
  ],
  ...[
    '!',
    '(',
    '\u001b',
    '\u001b[',
    '\u001b]',
    '\u001b;',
    '?;',
    ',',
    '.',
    '/',
    '@',
    'a,',
    'a: ',
    '\r',
    '\r\n',
    '0',
    '=',
    'é',
    '\u202e',
  ],
];

/** One of the hostile texts, or any. */
export const hostileWord: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ maxLength: 20 }) },
);

/** One piece, very often, between two others. */
export const longText: fc.Arbitrary<string> = fc
  .tuple(hostileWord, fc.constantFrom(...PIECES), fc.constantFrom(20, 300, 5_000, 100_000), hostileWord)
  .map(
    ([before, piece, times, after]) => `${before}${piece.repeat(Math.min(times, MAX_LENGTH / piece.length))}${after}`,
  );

type Edit = { kind: (typeof KINDS)[number]; at: number; to: number; word: string };

const KINDS = [
  ...['copy-line', 'drop-line', 'move-line', 'indent', 'tab', 'new-line', 'key', 'value', 'value', 'value'],
  ...['insert', 'insert', 'cut', 'end', 'replace'],
] as const;

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom(...KINDS),
  at: fc.nat(100_000),
  to: fc.nat(100_000),
  word: fc.oneof({ weight: 30, arbitrary: hostileWord }, { weight: 1, arbitrary: longText }),
});

/**
 * Texts with some changes: lines doubled, lost, moved, indented; keys and values replaced; hostile words anywhere.
 * @param words that belong to the language of the text, to put anywhere too
 */
export function spoiled(texts: fc.Arbitrary<string>, words: readonly string[] = []): fc.Arbitrary<string> {
  const own =
    words.length === 0
      ? edit
      : fc.oneof(
          edit,
          edit.chain((one) => fc.constantFrom(...words).map((word) => ({ ...one, word }))),
        );
  return fc
    .tuple(texts, fc.array(own, { maxLength: 6 }))
    .map(([text, edits]) => edits.reduce(apply, text).slice(0, MAX_LENGTH));
}

function apply(text: string, { kind, at, to, word }: Edit): string {
  const lines = text.split('\n');
  const index = at % lines.length;
  const line = lines[index] ?? '';
  const place = at % (text.length + 1);
  const withLine = (...changed: string[]) => lines.toSpliced(index, 1, ...changed).join('\n');
  switch (kind) {
    case 'copy-line':
      return withLine(line, line);
    case 'drop-line':
      return withLine();
    case 'move-line':
      return lines
        .toSpliced(index, 1)
        .toSpliced(to % lines.length, 0, line)
        .join('\n');
    case 'indent':
      return withLine(' '.repeat(to % 9) + line.trimStart());
    case 'tab':
      return withLine(`\t${line}`);
    case 'new-line':
      return withLine(line, word);
    case 'key':
      return withLine(line.replace(/[^\s:=]+/, () => word));
    case 'value':
      return withLine(line.replace(/([:= ])(?!.*\1).*$/, (_, before: string) => `${before} ${word}`));
    case 'insert':
      return text.slice(0, place) + word + text.slice(place);
    case 'cut':
      return text.slice(0, place) + text.slice(place + (to % 50));
    case 'end':
      return text.slice(0, place);
    case 'replace':
      return text.slice(0, place) + word + text.slice(place + word.length);
  }
}

/** Values that JSON can hold and a program may not expect. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e300,
    -1e300,
    2 ** 53,
    4294967296,
    '',
    [],
    {},
    [null],
    [[]],
    { a: 1 },
  ),
  hostileWord,
  fc.constantFrom(10, 200, 1_000).map((depth) => nested(depth)),
  fc.constantFrom(300, 10_001).map((length) => Array.from({ length }, (_, index) => index)),
  fc.constantFrom<unknown>(
    { __proto__: null, length: 1e9 },
    JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":1}}'),
  ),
);

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

type Change = {
  kind: 'replace' | 'drop' | 'double' | 'wrap' | 'rename' | 'as-text';
  at: number;
  value: unknown;
  name: string;
};

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom(
    'replace' as const,
    'replace' as const,
    'drop' as const,
    'double' as const,
    'wrap' as const,
    'rename' as const,
    'as-text' as const,
  ),
  at: fc.nat(1_000_000),
  value: oddValue,
  name: hostileWord,
});

/** Plain data with some of its values replaced, lost, doubled, wrapped or renamed. The original is not changed. */
export function spoiledData(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(values, fc.array(change, { maxLength: 4 })).map(([value, changes]) => {
    const holder = { value: structuredClone(value) };
    for (const one of changes) applyTo(holder, one);
    return holder.value;
  });
}

type Slot = { owner: Record<string, unknown>; key: string };

/** Each place that holds a value, at most 5,000 of them. */
function slotsOf(root: Record<string, unknown>): Slot[] {
  const slots: Slot[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0 && slots.length < 5_000) {
    const owner = pending.pop() as Record<string, unknown>;
    for (const key of Object.keys(owner)) {
      slots.push({ owner, key });
      if (typeof owner[key] === 'object' && owner[key] !== null) pending.push(owner[key]);
    }
  }
  return slots;
}

function applyTo(holder: Record<string, unknown>, { kind, at, value, name }: Change): void {
  const slots = slotsOf(holder);
  const slot = slots[at % slots.length];
  if (slot === undefined) return;
  const { owner, key } = slot;
  const put = (own: string, one: unknown) =>
    Object.defineProperty(owner, own, {
      value: structuredClone(one),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  const isList = Array.isArray(owner);
  if (kind === 'replace') put(key, value);
  else if (kind === 'wrap') put(key, [owner[key]]);
  else if (kind === 'as-text')
    put(key, String(typeof owner[key] === 'object' ? JSON.stringify(owner[key])?.slice(0, 10_000) : owner[key]));
  else if (kind === 'double') isList ? owner.push(owner[key]) : put(name, owner[key]);
  else if (owner === holder) return;
  else if (kind === 'rename' && !isList) {
    put(name, owner[key]);
    if (name !== key) delete owner[key];
  } else if (isList) owner.splice(Number(key), 1);
  else delete owner[key];
}

/** The text of such data: JSON, sometimes spoiled as a text too. */
export function spoiledJson(values: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const text = spoiledData(values).map((value) => JSON.stringify(value) ?? '');
  return fc.oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: spoiled(text) });
}
