import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from '../../src/reporters/redactor.js';

const SECRET = `p4ss&<w>o"rd' $x/=+ü`;
const redact = createRedactor([SECRET]);
const url = encodeURIComponent(SECRET);
const base64 = Buffer.from(`user:${SECRET}\n`).toString('base64');

describe('a secret is hidden', () => {
  it.each<[how: string, text: string]>([
    ['as it is', SECRET],
    ['in JSON', JSON.stringify({ password: SECRET })],
    ['in JSON inside JSON', JSON.stringify(JSON.stringify({ password: SECRET }))],
    [
      'in the JSON of Go',
      JSON.stringify(SECRET).replaceAll('&', '\\u0026').replaceAll('<', '\\u003c').replaceAll('>', '\\u003E'),
    ],
    ['in JSON with ASCII only', JSON.stringify(SECRET).replaceAll('ü', '\\u00fc')],
    [
      'in HTML',
      SECRET.replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&quot;')
        .replaceAll("'", '&#39;'),
    ],
    [
      'in the HTML of Go',
      SECRET.replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&#34;')
        .replaceAll("'", '&#x27;'),
    ],
    ['in a URL', `https://user:${url}@host/`],
    ['in a URL with lower-case hexadecimal', url.replace(/%../g, (code) => code.toLowerCase())],
    ['in a form', new URLSearchParams({ password: SECRET }).toString()],
    ['in single quotes of a shell', `'${SECRET.replaceAll("'", `'\\''`)}'`],
    ['with backslashes of a shell', SECRET.replace(/[^A-Za-z0-9ü]/g, '\\$&')],
    ['in base64 with a user before it', base64],
    ['in base64 for URLs', Buffer.from(`u:${SECRET}`).toString('base64url')],
    ['in base64 on several lines', base64.replace(/.{10}/g, '$&\n')],
    ['in hexadecimal', Buffer.from(SECRET).toString('hex')],
    ['in hexadecimal with capitals', Buffer.from(SECRET).toString('hex').toUpperCase()],
    ['in base32', base32(SECRET)],
    ['in base32 with a user before it', base32(`user:${SECRET}\n`)],
    ['with zero-width spaces between its letters', [...SECRET].join('\u200b')],
    ['with other characters that cannot be seen', [...SECRET].join('\u00ad\ufeff\u2060')],
    ['on two lines', `${SECRET.slice(0, 7)}\n   ${SECRET.slice(7)}`],
    ['on two lines of a quotation', `${SECRET.slice(0, 7)}\n  │ ${SECRET.slice(7)}`],
    ['cut at the end', `login failed: ${SECRET.slice(0, 12)}`],
    ['cut at the end with an ellipsis', `login failed: ${SECRET.slice(0, 12)}…`],
    ['cut at the start', `${SECRET.slice(-12)} was refused`],
  ])('%s', (_, text) => {
    const shown = redact(text);
    expect(shown).toContain('[secret]');
    for (const piece of [SECRET.slice(0, 8), SECRET.slice(-8), base64.slice(8, 20)]) expect(shown).not.toContain(piece);
  });

  it('line by line, where it has several', () => {
    const key =
      '-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz012345\nsecond-line-of-the-same-key-0123\n-----END KEY-----\n';
    const hide = createRedactor([key]);
    expect(hide('2: second-line-of-the-same-key-0123')).toBe('2: [secret]');
    expect(hide(key.replaceAll('\n', '\\n'))).not.toContain('abcdefgh');
  });

  it('and the number of lines stays the same', () => {
    const text = `a\n${SECRET.slice(0, 7)}\n${SECRET.slice(7)}\nb`;
    expect(redact(text).split('\n')).toEqual(['a', '[secret]', '', 'b']);
  });
});

describe('a secret that is folded, and comes line by line, is hidden', () => {
  const KEY = 'sk9Tf2LqWm4Xc7Rv1Zb8Nd5Hy3Kp6Jg0Au';
  const long = Array.from({ length: 6 }, (_, index) => `${KEY}${index}-${SECRET}`).join('');
  it.each<[how: string, text: string, width: number]>([
    ['base64 of 76 columns', Buffer.from(`{"key":"${long}"}`).toString('base64'), 76],
    ['base64 of 20 columns', Buffer.from(long).toString('base64'), 20],
    ['hexadecimal of 60 columns', Buffer.from(long).toString('hex'), 60],
    ['capital hexadecimal of 32 columns', Buffer.from(long).toString('hex').toUpperCase(), 32],
    ['base32 of 64 columns', base32(long), 64],
  ])('%s', (_, text, width) => {
    const hide = createRedactor([long]);
    const lines = text.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
    expect(lines.length).toBeGreaterThan(3);
    // Of the last line, less than 12 characters may belong to it.
    for (const line of lines.slice(0, -1)) {
      expect(hide(line), line).toContain('[secret]');
      expect(hide(`   ${line}`)).toContain('[secret]');
    }
  });

  it('as it is, where it is a key', () => {
    const key = `${KEY}${[...KEY].reverse().join('')}`;
    const lines = `token=${key}`.match(/.{1,20}/g) ?? [];
    expect(lines.map(createRedactor([key]))).toEqual(['token=[secret]', '[secret]', '[secret]', '[secret]']);
  });
});

/** RFC 4648, section 6, digit by digit. */
function base32(text: string): string {
  const bits = [...Buffer.from(text)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const digits = bits.match(/.{1,5}/g) ?? [];
  return digits.map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five.padEnd(5, '0'), 2)]).join('');
}

it.each([
  ['postgres://shop:hunter22@database-server/production', 'database-server'],
  ['{"type":"service_account","project":"shop-production-123"}', 'service_account'],
  ['https://hooks.slack.com/services/T0123/B0456/x7Yz', 'hooks.slack.com/services'],
  ['correct-horse-9471-battery-staple', 'deployed horse-9471-battery to web-1'],
  ['production-database-password-main', 'database-password'],
  ['sk9Tf2LqWm4Xc7Rv1Zb8Nd5Hy3Kp6Jg0Au', '6ba09a7c53235ee8a8fa5ee4c1ca8ca886e7fdbb'],
])('with the secret %s, "%s" stays', (secret, text) => {
  expect(createRedactor([secret])(text)).toBe(text);
});

describe('other text stays', () => {
  it.each(['deployed to web-1', '', 'p4ss', 'a [secret] agent', SECRET.slice(0, 5)])('%j', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('such as the scheme of an address', () => {
    expect(createRedactor(['postgres://shop:p4ss@db/shop'])('It begins with postgres://')).toBe(
      'It begins with postgres://',
    );
  });

  it('where there is no secret, or only one that is too short', () => {
    expect(createRedactor([])('anything')).toBe('anything');
    expect(createRedactor(['abc', ''])('abcabc')).toBe('abcabc');
  });
});

it.each([
  ['%', '00      !', encodeURIComponent],
  ['\\', '"quoted" word', (secret: string) => JSON.stringify(secret).slice(1, -1)],
])('a %s before a secret does not change how it is read', (before, secret, spell) => {
  const hidden = createRedactor([secret])(`${before}${spell(secret)}`);
  expect(hidden).toContain('[secret]');
  expect(hidden).not.toContain(spell(secret));
});

it('hides any secret in any of these spellings, inside any text, in bounded time', () => {
  const spellings: ((secret: string) => string)[] = [
    (secret) => secret,
    (secret) => JSON.stringify(secret).slice(1, -1),
    (secret) => encodeURIComponent(secret),
    (secret) => Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    (secret) => Buffer.from(secret).toString('hex'),
  ];
  const secrets = fc
    .string({ minLength: 8, maxLength: 40, unit: 'grapheme-ascii' })
    .filter((text) => text.trim() === text);
  fc.assert(
    fc.property(secrets, fc.string(), fc.string(), fc.constantFrom(...spellings), (secret, before, after, spell) => {
      const hide = createRedactor([secret]);
      const form = spell(secret);
      expect(hide(`${before}${form}${after}`)).toContain('[secret]');
      expect(hide(`${before}${form}${after}`)).not.toContain(form);
    }),
    { numRuns: 500 },
  );
  const hide = createRedactor(Array.from({ length: 300 }, (_, index) => `secret-number-${index}-${'x'.repeat(20)}`));
  expect(hide('secret-number-'.repeat(20_000)).length).toBeGreaterThan(1_000);
});
