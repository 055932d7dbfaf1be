import { describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.js';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { type LogWish, readLogs } from '../../../src/deploy/operate/logs/read-logs.js';
import { ShellError } from '../../../src/errors.js';
import type { ProgramCommand, ProgramEnd, ProgramStreams, RemoteCommand, RemoteHost } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { aDroplet, FakeCloud } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const settings = {
  app: 'shop',
  environment: 'production',
  target: { kind: 'load_balancer', ref: 'web' },
  ssh: { address: 'public' },
} as unknown as Settings;

const ID = 'a'.repeat(64);

interface Reading {
  from: unknown;
  print(text: string, stream?: 'stdout' | 'stderr'): Promise<void> | void;
  end(how: ProgramEnd | ShellError): void;
}

/** Droplets whose containers and logs a test decides on. */
class Droplets {
  readonly clock = new VirtualClock({ start: 0 });
  readonly cloud = new FakeCloud(undefined, [aDroplet(1), aDroplet(2)]);
  /** By droplet: what it lists. */
  readonly listed = new Map<string, string[]>();
  readonly unreachable = new Set<string>();
  /** By droplet, in order. */
  readonly readings = new Map<string, Reading[]>();
  readonly shown: string[] = [];
  readonly told: string[] = [];
  readonly until = new AbortController();

  get ports(): DeployPorts {
    const { cloud, clock } = this;
    const shell = { connect: (host: RemoteHost) => this.#connect(host) };
    return { cloud, clock, shell, reporter: new CollectingReporter() } as unknown as DeployPorts;
  }

  reading(name: string, index = -1): Reading {
    const found = this.readings.get(name)?.at(index);
    if (found === undefined) throw new Error(`no log of ${name} is read`);
    return found;
  }

  read(wish: Partial<LogWish> = {}): Promise<void> {
    const user = {
      show: ({ droplet, stream, text }: { droplet: string; stream: string; text: string }) =>
        void this.shown.push(`${droplet} ${stream} ${text}`),
      tell: ({ message }: Error) => void this.told.push(message),
    };
    const whole: LogWish = { follow: true, from: { tail: 10 }, ...wish };
    return readLogs(this.ports, settings, whole, user, this.until.signal);
  }

  async #connect(host: RemoteHost) {
    if (this.unreachable.has(host.name)) throw new ShellError('unreachable', 'not-applied', `${host.name} is away.`);
    return {
      host,
      run: async ({ name }: RemoteCommand) =>
        name === 'list-logged'
          ? { code: 0, stdout: (this.listed.get(host.name) ?? []).join('\n'), stderr: '' }
          : { code: 1, stdout: '', stderr: 'not now' },
      start: async ({ args }: ProgramCommand, streams: ProgramStreams) => this.#start(host.name, args.from, streams),
      close: async () => {},
    };
  }

  #start(name: string, from: unknown, streams: ProgramStreams) {
    let end: Reading['end'] = () => {};
    const ended = new Promise<ProgramEnd>((resolve, reject) => {
      end = (how) => (how instanceof ShellError ? reject(how) : resolve(how));
    });
    const print: Reading['print'] = (text, stream = 'stdout') => streams[stream](Buffer.from(text));
    this.readings.set(name, [...(this.readings.get(name) ?? []), { from, print, end }]);
    return { resize() {}, signal: async () => {}, abandon: () => end({ code: 0 }), ended };
  }
}

const NEVER = '0001-01-01T00:00:00Z';
const listed = (id: string, status: string, finishedAt = NEVER) => `${id} ${status} ${finishedAt} app`;
const line = (second: number, text: string) =>
  `1970-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z ${text}\n`;
const lost = () => new ShellError('lost', 'unknown', 'The connection was lost.');

async function play(droplets: Droplets, story: () => Promise<void>, wish: Partial<LogWish> = {}): Promise<void> {
  const reading = droplets.read(wish);
  const played = (async () => {
    await droplets.clock.sleep(100);
    await story();
    droplets.until.abort();
    await reading;
  })();
  await droplets.clock.run(played);
}

describe('following logs', () => {
  it('goes on after a lost connection where it was, by the time of the last line', async () => {
    const droplets = new Droplets();
    droplets.listed.set('web-1', [listed(ID, 'running')]);
    await play(droplets, async () => {
      const first = droplets.reading('web-1');
      expect(first.from).toEqual({ tail: 10 });
      await first.print(line(1, 'a') + line(2, 'b') + line(2, 'c'));
      first.end(lost());
      await droplets.clock.sleep(3_000);
      const second = droplets.reading('web-1');
      expect(second.from).toEqual({ time: '1970-01-01T00:00:02.000000000Z' });
      await second.print(line(2, 'b') + line(2, 'c') + line(2, 'd') + line(3, 'e'));
      await droplets.clock.sleep(2_000);
    });
    expect(droplets.shown).toEqual(['a', 'b', 'c', 'd', 'e'].map((text) => `web-1 stdout ${text}`));
    expect(droplets.told).toEqual([]);
  });

  it('reads a container that comes from its beginning, also if it had not started when it was found', async () => {
    const droplets = new Droplets();
    droplets.listed.set('web-2', [listed('b'.repeat(64), 'running')]);
    await play(droplets, async () => {
      droplets.listed.set('web-1', [listed(ID, 'created')]);
      await droplets.clock.sleep(2_500);
      expect(droplets.reading('web-1').from).toBe('beginning');
      droplets.reading('web-1').end({ code: 0 });
      droplets.listed.set('web-1', [listed(ID, 'running')]);
      await droplets.clock.sleep(2_500);
      expect(droplets.reading('web-1').from).toBe('beginning');
    });
    expect(droplets.readings.get('web-1')).toHaveLength(2);
  });

  it('reads a stopped container once more, and again after another run', async () => {
    const droplets = new Droplets();
    droplets.listed.set('web-1', [listed(ID, 'running')]);
    await play(droplets, async () => {
      await droplets.reading('web-1').print(line(1, 'a'));
      droplets.listed.set('web-1', [listed(ID, 'exited', '2026-11-21T07:45:00Z')]);
      droplets.reading('web-1').end({ code: 0 });
      await droplets.clock.sleep(2_500);
      await droplets.reading('web-1').print(line(1, 'a') + line(2, 'last'));
      droplets.reading('web-1').end({ code: 0 });
      await droplets.clock.sleep(10_000);
      expect(droplets.readings.get('web-1')).toHaveLength(2);
      droplets.listed.set('web-1', [listed(ID, 'exited', '2026-11-21T07:46:00Z')]);
      await droplets.clock.sleep(2_500);
      expect(droplets.readings.get('web-1')).toHaveLength(3);
    });
    expect(droplets.shown).toEqual(['web-1 stdout a', 'web-1 stdout last']);
  });

  it('finds droplets that come, and says once which cannot be reached', async () => {
    const droplets = new Droplets();
    droplets.listed.set('web-1', [listed(ID, 'running')]);
    droplets.listed.set('web-2', [listed('b'.repeat(64), 'running')]);
    droplets.unreachable.add('web-2');
    await play(droplets, async () => {
      await droplets.clock.sleep(40_000);
      expect(droplets.told).toEqual(['web-2 is away.']);
      droplets.unreachable.clear();
      await droplets.clock.sleep(20_000);
      // From about when the reading began.
      expect(droplets.reading('web-2').from).toEqual({ seconds: 46 });
      await droplets.reading('web-2').print(line(50, 'here'), 'stderr');
      await droplets.clock.sleep(2_000);
    });
    expect(droplets.shown).toEqual(['web-2 stderr here']);
  });
});

describe('reading logs', () => {
  it('ends when every log is read, with only the lines that match', async () => {
    const droplets = new Droplets();
    droplets.listed.set('web-1', [listed(ID, 'running')]);
    droplets.listed.set('web-2', [listed('b'.repeat(64), 'exited')]);
    const reading = droplets.read({ follow: false, grep: /o/ });
    const story = async () => {
      await droplets.clock.sleep(100);
      await droplets.reading('web-1').print(line(3, 'three') + line(4, 'two'));
      droplets.reading('web-1').end({ code: 0 });
      await droplets.clock.sleep(3_000);
      await droplets.reading('web-2').print(`${line(1, 'one')}${line(2, 'four').trimEnd()}`);
      droplets.reading('web-2').end({ code: 0 });
      await reading;
    };
    await droplets.clock.run(story());
    expect(droplets.shown).toEqual(['web-2 stdout one', 'web-2 stdout four', 'web-1 stdout two']);
  });

  it('ends at once when it is interrupted, however much is waiting', async () => {
    const droplets = new Droplets();
    droplets.listed.set('web-1', [listed(ID, 'running')]);
    const story = async () => {
      await droplets.clock.sleep(100);
      const waiting = droplets.reading('web-1').print(line(1, 'x').repeat(5_000));
      droplets.until.abort();
      await waiting;
    };
    await play(droplets, story, { follow: false });
    expect(droplets.shown.length).toBeLessThan(600);
  });

  it('opens further connections where a droplet has more containers than one has sessions for', async () => {
    const droplets = new Droplets();
    const ids = Array.from({ length: 20 }, (_, index) => index.toString(16).padStart(64, '0'));
    droplets.listed.set(
      'web-1',
      ids.map((id) => listed(id, 'running')),
    );
    await play(droplets, async () => {
      expect(droplets.readings.get('web-1')).toHaveLength(20);
    });
  });
});
