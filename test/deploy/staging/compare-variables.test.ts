/** What compose on a droplet makes of declared variables and secrets. */
import { expect, it } from 'vitest';
import { Secret } from '../../../src/config/secret.js';
import type { ReadVariable } from '../../../src/config/settings.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { refuseOtherValues, warnAboutUnused } from '../../../src/deploy/staging/compare-variables.js';
import type { DeployEvent } from '../../../src/rollout/model.js';

const member = { host: { id: 1, name: 'web-1', address: '203.0.113.5' }, connection: {} } as unknown as Member;

const variable = (name: string, value: string, more: Partial<ReadVariable> = {}): ReadVariable => {
  return { name, value: new Secret(value), place: 'config/.env.production:3', ...more };
};

const answerOf = (variables: object, services: object = {}) =>
  JSON.stringify({ name: 'shop', services, 'x-do-deploy-variables': variables });

it('the same values pass, with dollar signs as compose prints them', () => {
  const read = [variable('POOL', '5'), variable('PRICE', 'a$b$$c')];
  expect(() => refuseOtherValues(member, answerOf({ POOL: '5', PRICE: 'a$$b$$$$c' }), read)).not.toThrow();
});

it('another value is refused by name and place, without it', () => {
  const read = [variable('POOL', 's3cret-here'), variable('MODE', 'a')];
  expect(() => refuseOtherValues(member, answerOf({ POOL: 's3cret-there', MODE: 'a' }), read)).toThrow(
    expect.objectContaining({
      code: 'variable-differs',
      droplet: 'web-1',
      message: 'On web-1, compose reads another value than do-deploy of POOL (config/.env.production:3).',
      hint: expect.stringContaining("ssh 203.0.113.5 'printenv POOL | wc -c'"),
    }),
  );
});

it('a compose that prints no extensions is not asked', () => {
  expect(() => refuseOtherValues(member, '{"services":{}}', [variable('POOL', '5')])).not.toThrow();
  expect(() => refuseOtherValues(member, answerOf({ POOL: null }), [variable('POOL', '5')])).not.toThrow();
});

it.each<[how: string, services: object, warned: boolean, written?: string]>([
  [
    'where its profile is off',
    { app: {} },
    false,
    'services:\n  migrate:\n    profiles: [tools]\n    environment: [KEY]\n',
  ],
  [
    'nowhere but in a comment',
    { app: {} },
    true,
    'services:\n  # environment: [KEY]\n  app: { environment: [KEYS] }\n',
  ],
  ['by name', { app: { environment: { KEY: 'k$$y"1' } } }, false],
  ['in another value', { app: { command: ['--key=k$$y"1'] } }, false],
  ['as a secret of compose', { app: { secrets: [{ source: 'KEY' }] } }, false],
  ['nowhere', { app: { environment: { OTHER: 'x' } } }, true],
])('a secret that services use %s', (_, services, warned, written = '') => {
  const events: DeployEvent[] = [];
  const clock = { now: () => 0, sleep: async () => {} };
  const ports = { clock, reporter: { report: (event: DeployEvent) => void events.push(event) } };
  const read = [variable('KEY', 'k$y"1', { isSecret: true }), variable('POOL', '5')];
  warnAboutUnused(ports, answerOf({ KEY: 'k$$y"1' }, services), read, written);
  expect(events.map((event) => event.type === 'notice' && event.message)).toEqual(
    warned
      ? [
          expect.stringMatching(
            /^config\/\.env\.production:3: no service .* the secret KEY\. Write `environment: \[KEY\]`/,
          ),
        ]
      : [],
  );
});
