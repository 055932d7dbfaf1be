import { expect, it } from 'vitest';
import { createProject, load } from './project-folder.js';

async function gatesOf(gates: unknown, env = {}) {
  const rollout = { gates };
  const config = JSON.stringify({ app: 'shop', environments: { test: { droplet: 1 } }, rollout });
  const root = createProject({ 'config/deploy.yml': config, 'compose/docker-compose.yml': '' });
  return (await load(root, { env })).rollout.gates;
}

it('a gate has defaults', async () => {
  const common = { everyMs: 30_000, failAfter: 1, timeoutMs: 10_000 };
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

it('a dollar sign of a command is for the shell, one of an address is for do-deploy', async () => {
  const gates = [
    { name: 'errors', command: 'test "$RATE" = 0' },
    { name: 'alarms', url: 'https://$ALARMS/' },
  ];
  const read = await gatesOf(gates, { ALARMS: 'alarms.example.com' });
  expect(read).toMatchObject([{ command: 'test "$RATE" = 0' }, { url: 'https://alarms.example.com/' }]);
});
