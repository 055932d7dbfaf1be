import { expect, it } from 'vitest';
import { readComposeConfig } from '../../../src/deploy/staging/compose-config.js';
import { warnAboutCompose } from '../../../src/deploy/staging/compose-warnings.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const CHECKED = { image: 'shop:v1', healthcheck: { test: ['CMD', 'true'] } };

function warnings(services: Record<string, object>, stderr = ''): string[] {
  const reporter = new CollectingReporter();
  const read = readComposeConfig(JSON.stringify({ services }), { app: 'shop', build: false });
  warnAboutCompose({ clock: new VirtualClock(), reporter }, stderr, read);
  return reporter.of('notice').map(({ message }) => message);
}

it('names variables that are not set, each once', () => {
  const line = (name: string) =>
    `time="2026-11-28T05:00:00Z" level=warning msg="The \\"${name}\\" variable is not set. Defaulting to a blank string."\n`;
  expect(warnings({ app: CHECKED }, line('TAG') + line('TAG') + line('MODE'))).toEqual([
    'The compose files use variables that no env file sets, so they are empty: TAG, MODE.',
  ]);
  const many = Array.from({ length: 12 }, (_, index) => line(`V${index}`)).join('');
  expect(warnings({ app: CHECKED }, many)[0]).toMatch(/: V0, .*V9 and 2 more\.$/);
});

it("passes on compose's other warnings, each once, without the folder on the droplet", () => {
  const line = (message: string) => `time="2026-11-28T05:00:00Z" level=warning msg="${message}"\n`;
  const version =
    '/root/do-deploy/shop/releases/R1.partial/.view/compose/docker-compose.yml: the attribute `version` is obsolete';
  const quoted = 'secret \\"db\\" is not supported';
  const many = Array.from({ length: 9 }, (_, index) => line(`a ${index}`)).join('');
  expect(warnings({ app: CHECKED }, line(version) + line(version) + line(quoted))).toEqual([
    'Compose warns: compose/docker-compose.yml: the attribute `version` is obsolete',
    'Compose warns: secret "db" is not supported',
  ]);
  expect(warnings({ app: CHECKED }, many)).toHaveLength(5);
});

it('says that no service has a healthcheck', () => {
  const message =
    'No service in the compose files has a healthcheck. Unless the images have one, do-deploy can only see that the containers keep running.';
  expect(warnings({ app: { image: 'shop:v1' } })).toEqual([message]);
  expect(warnings({ app: { ...CHECKED, healthcheck: { disable: true } } })).toEqual([message]);
  expect(warnings({ app: CHECKED, proxy: { image: 'nginx' } })).toEqual([]);
});
