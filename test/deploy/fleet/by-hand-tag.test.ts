import { expect, it } from 'vitest';
import { byHandPrefix, byHandTag, readByHandTag } from '../../../src/deploy/fleet/by-hand-tag.js';

const PREFIX = byHandPrefix('shop', 'production');
const MARK = { since: '2026-11-21T07:45:00Z', who: 'ann@desk', reason: 'disk errors, ticket #42' };

it('is a tag that DigitalOcean accepts, and that people can read', () => {
  expect(byHandTag(PREFIX, MARK)).toBe(
    'do-deploy:by-hand:shop:production:20261121T074500Z:ann:40desk:_disk_errors:2c_ticket_:2342',
  );
});

it.each([
  MARK,
  { ...MARK, since: '2026-11-21T07:45:00.123Z' },
  { ...MARK, reason: 'Die Platte ist kaputt: größer als 90 %, 交換' },
  { ...MARK, who: 'a:_b', reason: ':_:41_x' },
  { ...MARK, who: '', reason: '' },
])('is read as it was written: $reason', (mark) => {
  const tag = byHandTag(PREFIX, mark);
  expect(tag).toMatch(/^[\w:-]{1,255}$/);
  expect(readByHandTag(PREFIX, tag)).toEqual({ ...mark, since: MARK.since });
});

it('has room for no more than DigitalOcean allows, and cuts no character', () => {
  const long = { ...MARK, who: '交'.repeat(200), reason: '換'.repeat(500) };
  for (const prefix of [PREFIX, byHandPrefix('a'.repeat(60), `${'b'.repeat(60)}:${'c'.repeat(60)}`)]) {
    const tag = byHandTag(prefix, long);
    expect(tag.length).toBeLessThanOrEqual(255);
    const read = readByHandTag(prefix, tag);
    expect(read?.who).toMatch(/^交*$/);
    expect(read?.reason).toMatch(/^換*$/);
  }
});

it.each([
  'do-deploy:out:shop:production',
  `${PREFIX}worker:20261121T074500Z:ann:_x`,
  `${PREFIX}20261121T074500Z`,
  `${PREFIX}20261321T074500Z:ann:_x`,
  'do-deploy:by-hand:shop:staging:20261121T074500Z:ann:_x',
])('is no other tag: %s', (tag) => {
  expect(readByHandTag(PREFIX, tag)).toBeUndefined();
});

it('is one line without control characters, whoever wrote the tag', () => {
  expect(readByHandTag(PREFIX, `${PREFIX}20261121T074500Z:ann:0a:_:1b[:e2:80:ae_x`)).toMatchObject({ who: 'ann' });
  const { reason = '' } = readByHandTag(PREFIX, `${PREFIX}20261121T074500Z:ann:_a:0ab:1b:e2:80:aec`) ?? {};
  expect(reason).toBe('a b c');
});
