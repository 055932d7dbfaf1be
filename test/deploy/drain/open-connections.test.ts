import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  countBusy,
  type OpenConnection,
  openConnectionsCommand,
  parseOpenConnections,
} from '../../../src/deploy/drain/open-connections.js';

const QUIET_MS = 2_000;

/** Answered within 20 ms, 3 s ago. */
const connection = (overrides: Partial<OpenConnection>): OpenConnection => ({
  pending: 0,
  sent: 900,
  received: 300,
  lastSent: 3_000,
  lastReceived: 3_020,
  lastAck: 3_000,
  ...overrides,
});

const isBusy = (overrides: Partial<OpenConnection>) => countBusy([connection(overrides)], QUIET_MS) === 1;

describe('an open connection', () => {
  it.each<[string, Partial<OpenConnection>]>([
    ['whose last request was answered some time ago', {}],
    ['that was never used', { sent: 0, received: 0, lastSent: 3_000, lastReceived: 3_000, lastAck: 3_000 }],
    [
      'whose answer fell into the tick of its request, and was acknowledged later',
      { lastReceived: 3_000, lastAck: 2_960 },
    ],
    [
      'whose answer fell into the tick of its request, long ago',
      { lastSent: 6_500, lastReceived: 6_500, lastAck: 6_500 },
    ],
  ])('%s is idle', (_, overrides) => {
    expect(isBusy(overrides)).toBe(false);
  });

  it.each<[string, Partial<OpenConnection>]>([
    ['with a request that is not answered', { lastSent: 9_000, lastReceived: 5_000 }],
    [
      'with its first request, not answered, in the tick of its beginning',
      { sent: 0, lastSent: 5_000, lastReceived: 5_000, lastAck: 5_000 },
    ],
    ['with bytes under way', { pending: 1 }],
    ['that was answered a moment ago', { lastSent: 1_500, lastReceived: 1_520 }],
    ['whose answer took long, and may go on', { lastSent: 4_000, lastReceived: 9_500 }],
    ['that streams: an event every 5 s for a minute', { lastSent: 4_900, lastReceived: 60_000 }],
    ['whose answer and next request may have fallen into one tick', { lastReceived: 3_000, lastAck: 3_000 }],
  ])('%s is busy', (_, overrides) => {
    expect(isBusy(overrides)).toBe(true);
  });

  it('is unclear for as long as the longest request that is seen beside it', () => {
    const unclear = connection({ lastSent: 8_000, lastReceived: 8_000, lastAck: 8_000 });
    const slow = connection({ lastSent: 40_000, lastReceived: 60_000 });
    expect([countBusy([unclear], QUIET_MS), countBusy([unclear, slow], QUIET_MS)]).toEqual([0, 1]);
  });
});

describe('reading open connections', () => {
  const ports = [{ host: 80, container: 8080, pid: 7 }];
  const SS = `0      0      [::ffff:10.0.0.2]:8080 [::ffff:10.0.0.1]:57802
	 bbr wscale:10,10 rto:204 bytes_sent:124 bytes_acked:124 bytes_received:65 segs_out:3 data_segs_in:1 lastsnd:1196 lastrcv:1216 lastack:1190 pacing_rate 325bps rcv_space:65483
0      7      10.0.0.2:8080 10.0.0.1:57806
	 cubic wscale:10,10 unacked:2 bytes_received:69 lastrcv:700 lastack:4
0      0      [::ffff:10.0.0.2]:8080 [::ffff:203.0.113.5]:4444
	 cubic bytes_received:1 lastrcv:1 lastsnd:5
0      0      127.0.0.1:8080 127.0.0.1:57807
	 cubic bytes_received:1 lastrcv:1
`;
  /** The script, with this instead of nsenter. */
  const read = (nsenter: string, overVpc = true) => {
    const { script } = openConnectionsCommand(ports);
    const { stdout } = spawnSync('sh', ['-c', `id() { echo 0; }\nnsenter() { ${nsenter}; }\n${script}`], {
      encoding: 'utf8',
    });
    return parseOpenConnections(stdout, overVpc);
  };

  it('finds queues, bytes and ages, and leaves out loopback, and public addresses where the balancer connects over the VPC', () => {
    expect(read(`printf '%s' '${SS}'`)).toEqual([
      { pending: 0, sent: 124, received: 65, lastSent: 1_196, lastReceived: 1_216, lastAck: 1_190 },
      { pending: 9, sent: 0, received: 69, lastSent: 0, lastReceived: 700, lastAck: 4 },
    ]);
  });

  it('includes public addresses where the balancer may have one', () => {
    expect(read(`printf '%s' '${SS}'`, false)).toHaveLength(3);
  });

  it('knows the difference between none and not readable', () => {
    expect(read('true')).toEqual([]);
    expect(read('return 127')).toBeUndefined();
  });

  it('asks in the container’s network for its own port', () => {
    expect(openConnectionsCommand(ports).script).toContain('nsenter -t 7 -n ss -tinH');
    expect(openConnectionsCommand(ports).script).toContain('sport = :8080');
  });
});
