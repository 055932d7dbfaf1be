import { expect, it } from 'vitest';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { isPassing, runWithRetries } from '../../../src/deploy/staging/retry-pull.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const EOF = 'Error response from daemon: Get "https://ghcr.io/v2/": unexpected EOF\n';
const DENIED = 'Error response from daemon: pull access denied for me/shop\n';
const COMMAND = { name: 'pull' } as RemoteCommand;

function world(stderrs: string[]) {
  const clock = new VirtualClock();
  const reporter = new CollectingReporter();
  let attempts = 0;
  const run = async () => {
    const stderr = stderrs[attempts] ?? '';
    attempts += 1;
    return { code: stderr === '' ? 0 : 1, stdout: '', stderr };
  };
  const memberOf = (id: number) => ({ host: { id, name: `web-${id}` }, connection: { run } }) as unknown as Member;
  const ports = { clock, reporter } as unknown as DeployPorts;
  const pull = (id = 1) => clock.run(runWithRetries({ ports }, memberOf(id), COMMAND));
  return { clock, reporter, pull, attempts: () => attempts, ports, memberOf };
}

it.each([
  EOF,
  'Error response from daemon: received unexpected HTTP status: 502 Bad Gateway\n',
  'dial tcp: lookup ghcr.io on 127.0.0.53:53: server misbehaving\n',
  'net/http: TLS handshake timeout\n',
  'read tcp 10.0.0.5:40112->140.82.121.33:443: read: connection reset by peer\n',
])('a pull is repeated after %s', async (stderr) => {
  const { pull, attempts, reporter } = world([stderr, stderr]);
  expect(await pull()).toMatchObject({ code: 0 });
  expect(attempts()).toBe(3);
  const reason = stderr.trim();
  expect(reporter.of('notice').map(({ message, droplet }) => ({ message, droplet }))).toEqual([
    { message: expect.stringMatching(/^The pull failed; retrying in \d+ s: /), droplet: 'web-1' },
    { message: expect.stringContaining(reason), droplet: 'web-1' },
  ]);
});

it.each([
  DENIED,
  'Error response from daemon: manifest for me/shop:v9 not found: manifest unknown\n',
  'toomanyrequests: You have reached your unauthenticated pull rate limit.\n',
  'write /var/lib/docker/tmp/x: no space left on device\n',
  'x509: certificate signed by unknown authority\n',
])('a pull is not repeated after %s', async (stderr) => {
  const { pull, attempts } = world([stderr, stderr]);
  expect(await pull()).toMatchObject({ code: 1, stderr });
  expect(attempts()).toBe(1);
  expect(isPassing(stderr)).toBe(false);
});

it('the last failure is returned after four attempts in at most 45 seconds', async () => {
  const { pull, attempts, clock } = world(Array(9).fill(EOF));
  const started = clock.now();
  expect(await pull()).toMatchObject({ code: 1, stderr: EOF });
  expect(attempts()).toBe(4);
  expect(clock.now() - started).toBeLessThanOrEqual(45_000);
});

it('a pull is not repeated after an interruption, which also ends the wait', async () => {
  const { clock, ports, memberOf, attempts } = world([EOF, EOF]);
  const interrupted = new AbortController();
  const started = clock.now();
  const pulling = runWithRetries({ ports, signal: interrupted.signal }, memberOf(1), COMMAND);
  const interrupting = clock.sleep(500).then(() => interrupted.abort());
  expect(await clock.run(pulling)).toMatchObject({ code: 1, stderr: EOF });
  await interrupting;
  expect(attempts()).toBe(1);
  expect(clock.now() - started).toBe(500);
});

it('droplets retry at different times', async () => {
  const waits = await Promise.all(
    [1, 2, 3, 4, 5].map(async (id) => {
      const { pull, clock } = world([EOF]);
      const started = clock.now();
      await pull(id);
      return clock.now() - started;
    }),
  );
  expect(new Set(waits).size).toBe(5);
});
