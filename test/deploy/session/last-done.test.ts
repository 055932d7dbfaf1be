/** What was done last on a fleet, as the droplets' shells keep it. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { readDone } from '../../../src/deploy/inspect/read-done.js';
import { lineOf, readLine, writing } from '../../../src/deploy/lease/done-commands.js';
import { recordOf } from '../../../src/deploy/release/once-functions.js';
import { recordDone } from '../../../src/deploy/session/last-done.js';
import type { Session } from '../../../src/deploy/session/session.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'do-deploy-done-'));
  return () => rmSync(home, { recursive: true, force: true });
});

async function sh(script: string, droplet: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const own = join(home, droplet);
  mkdirSync(join(own, 'do-deploy/shop'), { recursive: true });
  return await new Promise((resolve) => {
    execFile('/bin/sh', ['-c', script], { env: { HOME: own, PATH: process.env.PATH } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** A fleet whose droplets are folders; the lock is not part of it. */
function fleet(...names: string[]) {
  const reporter = new CollectingReporter();
  const members = names.map((name, id) => ({
    droplet: { id },
    host: { name },
    connection: {
      run: ({ name: kind, script, args }: RemoteCommand) => {
        const { key, done } = args as unknown as { key: string; done: { number: number; release: string } };
        return sh(kind === 'read-done' ? script : `cd "$HOME/do-deploy/shop" && ${writing(key, done)}`, name);
      },
    },
  })) as unknown as Member[];
  const run = { id: 'run', lease: { ensure: async () => {} } };
  const ports = { reporter, clock: new VirtualClock() };
  const session = { members, run, ports, options: { settings: { app: 'shop' } } } as unknown as Session;
  return { session, members, reporter };
}

const file = (name: string) => join(home, name, 'do-deploy/shop/done/migrate');

describe('what was done last', () => {
  it('is nothing at first, and is known by every droplet afterwards', async () => {
    const { session } = fleet('a', 'b');
    expect(await readDone(session, 'migrate')).toEqual({ number: 0, release: '' });
    await recordDone(session, 'migrate', { number: 1, release: 'r1' });
    await recordDone(session, 'migrate', { number: 2, release: 'r2' });
    expect(['a', 'b'].map((name) => readFileSync(file(name), 'utf8'))).toEqual(['2 r2\n', '2 r2\n']);
    expect(await readDone(session, 'other')).toEqual({ number: 0, release: '' });
  });

  it('is the latest that any droplet knows, whatever others say', async () => {
    const { session, members } = fleet('a', 'b', 'c');
    await recordDone(session, 'migrate', { number: 7, release: 'r7' });
    await recordDone(session, 'migrate', { number: 8, release: 'r8' }, { except: members[1] });
    writeFileSync(file('c'), '99 two words\n'.repeat(1_000));
    expect(await readDone(session, 'migrate')).toEqual({ number: 8, release: 'r8' });
  });

  it('is unknown when droplets contradict each other', async () => {
    const { session, members } = fleet('a', 'b');
    await recordDone(session, 'migrate', { number: 3, release: 'r3' }, { except: members[0] });
    await recordDone(session, 'migrate', { number: 3, release: 'other' }, { except: members[1] });
    expect(await readDone(session, 'migrate')).toEqual({ number: 3, release: '' });
  });

  it('that cannot be written is a warning', async () => {
    const { session, reporter } = fleet('a', 'b');
    mkdirSync(join(home, 'b/do-deploy/shop'), { recursive: true });
    writeFileSync(join(home, 'b/do-deploy/shop/done'), 'in the way');
    await recordDone(session, 'migrate', { number: 1, release: 'r1' });
    expect(reporter.events).toMatchObject([{ type: 'notice', level: 'warning', droplet: 'b' }]);
    expect(await readDone(session, 'migrate')).toEqual({ number: 1, release: 'r1' });
  });
});

it('a number beyond what is read is never written: a droplet may claim any', () => {
  expect(readLine(lineOf({ number: 1_000_000_000, release: 'r2' }))).toEqual({ number: 999_999_999, release: 'r2' });
});

it('a line is a number and a release; anything else is nothing', () => {
  for (const done of [
    { number: 1, release: '20261121T074500Z-v2' },
    { number: 999_999_999, release: '' },
  ]) {
    expect(readLine(`${lineOf(done)}\n`)).toEqual(done);
  }
  for (const text of [
    '',
    'x',
    '1',
    '-1 r',
    '1.5 r',
    '1 a b',
    `1 ${'a'.repeat(201)}`,
    '12345678901 r',
    '{"number":1}',
  ]) {
    expect(readLine(text), text).toBeUndefined();
  }
  expect(recordOf('migrate')).toBe('done/migrate');
});
