import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapText, Redactor } from '../../src/reporters/redacting.js';
import { createRedactor } from '../../src/reporters/redactor.js';
import { reporterOn } from '../support/reporter-on.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';
import { aRow, eventAt, OUT_OF_MEMORY, result } from '../support/scripted-events.js';

const PASSWORD = 'pa$$ "w0rd"/+ü';

describe('a redacted text', () => {
  const redact = createRedactor([PASSWORD]);

  it.each([
    ['as it is', PASSWORD],
    ['in JSON', JSON.stringify({ password: PASSWORD })],
    ['in a URL', `https://x.example/?p=${encodeURIComponent(PASSWORD)}`],
    ['in a form', new URLSearchParams({ password: PASSWORD }).toString()],
    ['in base64', Buffer.from(PASSWORD).toString('base64')],
    ['in base64 for URLs', Buffer.from(PASSWORD).toString('base64url')],
    ['in a Basic header', `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`],
  ])('does not hold the secret %s', (_, text) => {
    expect(redact(text)).toContain('[secret]');
    expect(redact(text)).not.toContain('w0rd');
    expect(redact(`before ${text} after`)).toMatch(/^before .*\[secret\].* after$/);
  });

  it('keeps no recognisable part of a secret in base64, wherever it stands', () => {
    const long = 'dop_v1_0123456789abcdef0123456789abcdef';
    const redactToken = createRedactor([long]);
    fc.assert(
      fc.property(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), (before, after) => {
        const encoded = Buffer.from(before + long + after).toString('base64');
        const decoded = Buffer.from(redactToken(encoded).replaceAll('[secret]', ''), 'base64').toString();
        expect(redactToken(encoded)).toContain('[secret]');
        expect(decoded).not.toContain('0123456789');
      }),
    );
  });

  it('loses the longest secret first', () => {
    expect(createRedactor(['token', 'token-and-more'])('a token-and-more, a token')).toBe('a [secret], a [secret]');
  });

  it('loses each line of a key', () => {
    const key = `-----BEGIN KEY-----\n${'abcdefgh'.repeat(4)}\n${'ijklmnop'.repeat(4)}\n-----END KEY-----\n`;
    expect(createRedactor([key])(`read: ${'ijklmnop'.repeat(4)}`)).toBe('read: [secret]');
    expect(createRedactor([key])('-----BEGIN KEY-----')).toBe('-----BEGIN KEY-----');
  });

  it('keeps what only looks like a secret: an empty or very short one, or a pattern', () => {
    expect(createRedactor(['', 'abc'])('abcabc')).toBe('abcabc');
    expect(createRedactor(['a.*b'])('a12b a.*b')).toBe('a12b [secret]');
  });
});

describe('a redacted event', () => {
  it('has the secret nowhere, however deep', () => {
    const log = [`using ${PASSWORD}`];
    const evidence = { ...OUT_OF_MEMORY, containers: [{ service: 'app', state: 'exited', restarts: 0, log }] };
    const outcome = result('failed', {
      rows: [aRow(1, { detail: PASSWORD })],
      error: { code: 'x', message: `login as ${PASSWORD} failed`, source: 'external' },
      evidence: [{ droplet: 'web-1', evidence }],
    });
    const event = eventAt(0, { type: 'rollout-finished', result: outcome } as const);
    const masked = mapText(event, createRedactor([PASSWORD]));
    expect(JSON.stringify(masked)).not.toContain('w0rd');
    expect(masked).toMatchObject({ result: { error: { message: 'login as [secret] failed' } } });
    expect(outcome.rows[0]?.detail).toBe(PASSWORD);
  });

  it('keeps the words of the schema, even with a password that is one of them', () => {
    const redact = createRedactor(['step-failed', 'health', 'external', 'deploy failed', '2026']);
    const masked = SAMPLE_EVENTS.map((event) => mapText(event, redact));
    expect(masked.map(({ type, at }) => [type, at])).toEqual(SAMPLE_EVENTS.map(({ type, at }) => [type, at]));
    expect(masked.find(({ type }) => type === 'step-failed')).toMatchObject({
      step: 'health',
      error: { step: 'health', source: 'external' },
    });
    expect(masked.find(({ type }) => type === 'row-changed')).toMatchObject({ row: { outcome: 'deploy failed' } });
  });

  it('loses a secret that a droplet wrote where a word of the schema belongs', () => {
    const entry = { type: 'history', command: 'hunter22', at: 'at hunter22', outcome: 'succeeded' };
    const masked = { type: 'history', command: '[secret]', at: 'at [secret]', outcome: 'succeeded' };
    expect(mapText(entry, createRedactor(['hunter22', 'succeeded']))).toEqual(masked);
  });
});

it('secrets that become known later are masked from then on', () => {
  const redactor = new Redactor(['first-secret']);
  expect(redactor.redact('first-secret, second-secret')).toBe('[secret], second-secret');
  redactor.add(['second-secret']);
  expect(redactor.redact('first-secret, second-secret')).toBe('[secret], [secret]');
});

describe('what is written', () => {
  it.each(['plain', 'json'] as const)('has no secret in mode %s', (mode) => {
    const { reporter, stdout } = reporterOn({ mode, level: 'verbose', secrets: ['hunter22'] });
    reporter.report(eventAt(0, { type: 'notice', level: 'warning', message: 'hunter22' }));
    reporter.print({ type: 'status', heading: 'hunter22', rows: [aRow(1, { detail: 'hunter22' })] });
    expect(stdout.text.match(/\[secret\]/g)).toHaveLength(3);
    expect(stdout.text).not.toContain('hunter22');
  });

  it('has no secret that a colour in its middle kept from being seen', () => {
    const { reporter, stdout } = reporterOn({ secrets: ['hunter22'] });
    reporter.report(eventAt(0, { type: 'notice', level: 'warning', message: 'hun\x1b[31mter22' }));
    expect(stdout.text).toMatch(/^\S+ {2}\[secret\]\n$/);
  });
});
