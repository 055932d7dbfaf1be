import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { LoadOptions } from '../../src/config/load.js';
import { createProject, load } from './project-folder.js';

async function gatesOf(gates: unknown, { env = {}, needs }: Pick<Partial<LoadOptions>, 'env' | 'needs'> = {}) {
  const rollout = { gates };
  const config = JSON.stringify({ app: 'shop', environments: { test: { droplet: 1 } }, rollout });
  const files = { 'scripts/error-rate.sh': '#!/bin/sh\n', 'scripts/plain.sh': '', 'scripts/folder/file': '' };
  const root = createProject({ 'config/deploy.yml': config, 'compose/docker-compose.yml': '', ...files });
  chmodSync(join(root, 'scripts/error-rate.sh'), 0o755);
  return (await load(root, { env, ...(needs && { needs }) })).rollout.gates;
}

it('a gate has defaults', async () => {
  const common = { place: 'config/deploy.yml:1', everyMs: 30_000, failAfter: 1, timeoutMs: 10_000 };
  expect(
    await gatesOf([
      { name: 'errors', command: 'scripts/error-rate.sh' },
      { name: 'alarms', url: 'https://alarms.example.com' },
    ]),
  ).toEqual([
    { name: 'errors', command: 'scripts/error-rate.sh', ...common },
    { name: 'alarms', url: 'https://alarms.example.com', expect: [{ from: 200, to: 399 }], ...common },
  ]);
});

it.each([
  [200, [{ from: 200, to: 200 }]],
  ['200-204', [{ from: 200, to: 204 }]],
  [
    [200, '301-302'],
    [
      { from: 200, to: 200 },
      { from: 301, to: 302 },
    ],
  ],
])('expects %j', async (written, ranges) => {
  const gates = await gatesOf([{ name: 'alarms', url: 'https://alarms.example.com', expect: written, every: '1m' }]);
  expect(gates).toMatchObject([{ expect: ranges, everyMs: 60_000 }]);
});

it.each([
  ['399-200', 'is a range of HTTP statuses that runs backwards', 'write `expect: 200-399`'],
  ['3xx', 'must be an HTTP status', 'write `expect: 300-399`'],
  [[200, '3xx'], 'must be an HTTP status', 'write `300-399`'],
  [[200, '399-300'], 'is a range of HTTP statuses that runs backwards', 'write `300-399`'],
  [700, 'must be an HTTP status', 'write `expect: 200`'],
])('%j is refused: %s; %s', async (expected, message, remedy) => {
  const gates = [{ name: 'alarms', url: 'https://alarms.example.com', expect: expected }];
  await expect(gatesOf(gates)).rejects.toMatchObject({
    problems: [{ message: expect.stringContaining(message), remedy }],
  });
});

it('a dollar sign of a command is for the shell, one of an address is for do-deploy', async () => {
  const gates = [
    { name: 'errors', command: 'test "$RATE" = 0' },
    { name: 'alarms', url: 'https://$ALARMS/' },
  ];
  const read = await gatesOf(gates, { env: { ALARMS: 'alarms.example.com' } });
  expect(read).toMatchObject([{ command: 'test "$RATE" = 0' }, { url: 'https://alarms.example.com/' }]);
});

it.each([
  ['scripts/eror-rate.sh --since 5m', 'there is no file scripts/eror-rate.sh'],
  ['./scripts/nothing', 'there is no file ./scripts/nothing'],
  ['sh scripts/nothing.sh', 'there is no file scripts/nothing.sh'],
  ['scripts/plain.sh', 'scripts/plain.sh is not executable'],
  ['scripts/folder', 'scripts/folder is not a file'],
])('%s could never run: a problem at its line', async (command, problem) => {
  const found = gatesOf([{ name: 'errors', command }]);
  await expect(found).rejects.toMatchObject({
    problems: [{ place: 'config/deploy.yml:1', message: `gate errors: ${problem}` }],
  });
  // A rollback asks no gate.
  await expect(gatesOf([{ name: 'errors', command }], { needs: 'fleet' })).resolves.toHaveLength(1);
});

it.each([
  'scripts/error-rate.sh --since 5m',
  'sh scripts/plain.sh',
  'test -e "$FILE"',
  '"scripts/a b" x',
  'RATE=a/b true',
  '$DIR/x',
])('%s may run', async (command) => {
  await expect(gatesOf([{ name: 'errors', command }])).resolves.toMatchObject([{ command }]);
});
