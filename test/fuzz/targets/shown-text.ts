/** Foreign text on its way to the user: no secret in any spelling, no control character, no line of its own. */
import fc from 'fast-check';
import { fewLines, oneLine } from '../../../src/adapters/printable.js';
import { errorLine, firstLines } from '../../../src/deploy/core/output-lines.js';
import { createRedactor } from '../../../src/reporters/redactor.js';
import { cleanText, truncate, widthOf } from '../../../src/reporters/text.js';
import { expectThat, target } from '../target.js';
import { isSafeLine, isSafeText } from '../unsafe.js';
import { hostileWord, longText, spoiled } from '../words.js';

const SPELLINGS: Record<string, (secret: string) => string> = {
  plain: (secret) => secret,
  json: (secret) => JSON.stringify(secret).slice(1, -1),
  'json in json': (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  'json of Go': (secret) =>
    JSON.stringify(secret)
      .slice(1, -1)
      .replace(/[<>&]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`),
  url: (secret) => encodeURIComponent(Buffer.from(secret).toString()),
  'url, lower case': (secret) =>
    encodeURIComponent(Buffer.from(secret).toString()).replace(/%../g, (byte) => byte.toLowerCase()),
  base64: (secret) => Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  html: (secret) =>
    secret
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&#34;')
      .replaceAll("'", '&#39;'),
  shell: (secret) => secret.replaceAll("'", "'\\''"),
  'two lines': (secret) => `${secret.slice(0, secret.length / 2)}\n  ${secret.slice(secret.length / 2)}`,
};

const SECRETS = [
  'correct-horse-9471',
  'p4ss&<w>o"rd\' $x/=+ü',
  'sk_live_51Jx%20q\\n7',
  'a'.repeat(400),
  `${'=-'.repeat(50)}x`,
  'aaaaaaaab',
];

const around = fc.oneof(
  {
    weight: 6,
    arbitrary: spoiled(
      fc.constantFrom('login failed for ann\nsecond line', '{"a":"b"}', ''),
      SECRETS.map((secret) => secret.slice(0, -1)),
    ),
  },
  { weight: 1, arbitrary: longText },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...SECRETS), fc.constantFrom(2, 500))
      .map(([secret, times]) => secret.slice(0, -1).repeat(times)),
  },
);

export const redactor = target({
  name: 'redactor',
  runs: 30,
  inputs: fc.record({
    secret: fc.constantFrom(...SECRETS),
    spelling: fc.constantFrom(...Object.keys(SPELLINGS)),
    before: around,
    after: around,
    more: fc.constantFrom(0, 0, 0, 100),
  }),
  check({ secret, spelling, before, after, more }) {
    const spelt = SPELLINGS[spelling]?.(secret) ?? '';
    const others = Array.from({ length: more }, (_, index) => `${'almost'.repeat(20)}${index}`);
    // Of its own, so that nothing that stands beside it belongs to it.
    const text = `${before} ${spelt} ${after}`;
    const shown = createRedactor([secret, ...others])(text);
    expectThat(!shown.includes(spelt), `the secret is shown (${spelling})`);
    expectThat(shown.split('\n').length === text.split('\n').length, 'the number of lines changes');
  },
});

const longSecret = fc
  .tuple(fc.constantFrom('a', 'ab', '\\', '%2', '=', 'é', 'a\n'), fc.constantFrom('', 'x', '\\'))
  .map(([piece, end]) => piece.repeat(Math.ceil(50_000 / piece.length)) + end);

export const longSecrets = target({
  name: 'long-secrets',
  runs: 1,
  inputs: fc.tuple(longSecret, longSecret, hostileWord),
  check([secret, text, word]) {
    createRedactor([secret])(`${word} ${text}`);
    createRedactor([secret])(`${text}${word}`);
  },
});

export const cleaner = target({
  name: 'cleaner',
  runs: 300,
  inputs: fc.oneof(
    {
      weight: 5,
      arbitrary: spoiled(fc.constant('one line\nanother one'), [
        '\u001b[31m',
        '\u001b[38;5;1',
        '\u001b]8;;x\u001b\\',
        '\u009d',
        '\u001bP',
      ]),
    },
    { weight: 2, arbitrary: longText },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('\u001b', '\u001b[', '\u001b]', '\u009b', '\u001b];'), longText)
        .map((parts) => parts.join('')),
    },
  ),
  check(text) {
    const line = oneLine(text);
    expectThat(line.length <= 301 && isSafeLine(line), `one line is ${JSON.stringify(line)}`);
    expectThat(fewLines(text, 3).split('\n').length <= 3, 'there are more lines than three');
    const clean = cleanText(text);
    expectThat(isSafeText(clean), `the clean text is ${JSON.stringify(clean.slice(0, 200))}`);
    expectThat(clean.length <= text.length * 2, 'the clean text is much longer');
    expectThat(cleanText(clean) === clean, 'cleaning it again changes it');
    expectThat(widthOf(truncate(clean.replaceAll('\n', ' ').slice(0, 2_000), 40)) <= 40, 'what is cut is too wide');
    errorLine(text);
    firstLines(text);
  },
});
