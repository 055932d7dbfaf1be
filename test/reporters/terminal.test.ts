import { beforeAll, describe, expect, it } from 'vitest';
import { DeployError } from '../../src/errors.js';
import type { DeployEvent } from '../../src/rollout/model.js';
import { EmulatedTerminal } from '../support/fake-terminal.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, scriptedRollout, started } from '../support/scripted-events.js';
import type { VirtualClock } from '../support/virtual-clock.js';

beforeAll(() => {
  process.env.TZ = 'UTC';
});

async function onTerminal(columns = 100, rows = 30) {
  const all = reporterOn({ mode: 'terminal', stdout: new EmulatedTerminal(columns, rows) });
  await all.reporter.goLive();
  return all;
}

/** Reports the events at the times they carry. */
async function play(events: DeployEvent[], reporter: { report(event: DeployEvent): void }, clock: VirtualClock) {
  for (const event of events) {
    await clock.advance(Math.max(0, Date.parse(event.at) - clock.now()));
    reporter.report(event);
  }
}

/** The script up to where droplet `n` does the step. */
function until(step: string, n: number, droplets: number): DeployEvent[] {
  const script = scriptedRollout(droplets);
  const end = script.findIndex(
    (event) => event.type === 'step-started' && event.droplet === `web-${n}` && event.step === step,
  );
  return script.slice(0, end + 1);
}

const frameOf = (terminal: EmulatedTerminal) => terminal.text.slice(terminal.text.lastIndexOf('\n\n') + 2).split('\n');

describe('a question during a rollout', () => {
  it('has the terminal for itself, and what was reported meanwhile follows the answer', async () => {
    const { reporter, stdout, clock } = await onTerminal();
    const events = scriptedRollout(2);
    const before = until('drain', 1, 2).length;
    await play(events.slice(0, before), reporter, clock);
    const resume = reporter.suspend();
    expect(stdout.cursorShown).toBe(true);
    expect(stdout.text).not.toContain('DROPLET');
    stdout.write('Snapshot taken? [y/N] ');
    const asked = stdout.writes.length;
    const lines = stdout.lines.length;
    await play(events.slice(before, before + 3), reporter, clock);
    await clock.advance(60_000);
    stdout.columns = 90;
    stdout.emit('resize');
    expect(stdout.writes.slice(asked), 'nothing is drawn').toEqual([]);
    stdout.write('y\n');
    resume();
    expect(stdout.cursorShown).toBe(false);
    expect(stdout.lines[lines - 1]).toBe('Snapshot taken? [y/N] y');
    expect(stdout.lines.filter((line) => line.includes('DROPLET'))).toHaveLength(1);
    await play(events.slice(before + 3), reporter, clock);
    expect(stdout.cursorShown).toBe(true);
    expect(stdout.lines.filter((line) => line.includes('Snapshot'))).toHaveLength(1);
    await reporter.close();
  });

  it('before a rollout has started needs no table', async () => {
    const { reporter, stdout } = await onTerminal();
    const resume = reporter.suspend();
    reporter.report(eventAt(0, { type: 'notice', level: 'info', message: 'Meanwhile.' }));
    expect(stdout.text).toBe('');
    resume();
    expect(stdout.text).toContain('Meanwhile.');
    expect(stdout.text).not.toContain('DROPLET');
    await reporter.close();
  });

  it('is over when the rollout ends', async () => {
    const { reporter, stdout, clock } = await onTerminal();
    const events = scriptedRollout(2);
    await play(events.slice(0, -1), reporter, clock);
    const resume = reporter.suspend();
    await play(events.slice(-1), reporter, clock);
    resume();
    expect(stdout.cursorShown).toBe(true);
    expect(stdout.text).not.toContain('TIME ');
    expect(stdout.lines.at(-1)).toMatch(/^Deployed v2 to 2 droplets/);
    await reporter.close();
  });
});

describe('the live table', () => {
  it('shows the rotation, step and time of each droplet below the log', async () => {
    const { reporter, stdout, clock } = await onTerminal();
    await play(until('drain', 2, 3), reporter, clock);
    await clock.advance(1_300);
    expect(frameOf(stdout)).toEqual([
      'Deploying shop v1 → v2 to production',
      'Rolling out, batch 2 of 3 | 18 s | about 20 s left',
      '   DROPLET  ADDRESS      ROTATION  RELEASE  TIME     STEP',
      '✓  web-1    203.0.113.1  in        v2       11 s     deployed',
      '▸  web-2    203.0.113.2  out       v1       3 s      draining',
      '   web-3    203.0.113.3  in        v1',
      'serving: 2 of 3, floor 2',
    ]);
    expect(stdout.lines.filter((line) => line.includes('DROPLET'))).toHaveLength(1);
    expect(stdout.text).toContain('07:45:16  web-2  draining (out of rotation)\n');
    await reporter.close();
  });

  it('leaves the log, the final table and a cursor, but no frame', async () => {
    const { reporter, stdout, clock } = await onTerminal();
    const before = process.listenerCount('exit');
    await play(until('drain', 1, 2), reporter, clock);
    expect(stdout.cursorShown).toBe(false);
    await play(scriptedRollout(2).slice(until('drain', 1, 2).length), reporter, clock);
    expect(stdout.cursorShown).toBe(true);
    expect(stdout.text).not.toContain('TIME ');
    expect(stdout.lines.at(-1)).toBe('Deployed v2 to 2 droplets in 25 s.');
    expect(process.listenerCount('exit')).toBe(before);
    expect(stdout.listenerCount('resize')).toBe(0);
  });

  it('prints the same lines as to a pipe, except for progress', async () => {
    const { reporter, stdout, clock } = await onTerminal(200);
    const pipe = reporterOn();
    await play(scriptedRollout(3, 2), reporter, clock);
    for (const event of scriptedRollout(3, 2)) pipe.reporter.report(event);
    const lines = pipe.stdout.text.trimEnd().split('\n');
    expect(stdout.lines).toEqual(lines.filter((line) => !line.includes('draining: ')));
  });

  it('restores the cursor when the process ends in the middle', async () => {
    const others = process.listeners('exit');
    const { reporter, stdout, clock } = await onTerminal();
    await play(until('drain', 1, 2), reporter, clock);
    for (const listener of process.listeners('exit')) if (!others.includes(listener)) listener.call(process, 1);
    expect(stdout.cursorShown).toBe(true);
    await reporter.close();
  });

  it('is drawn at most ten times a second, however many events arrive, and loses none', async () => {
    const { reporter, stdout, clock } = await onTerminal();
    await play(until('drain', 1, 1), reporter, clock);
    const writes = stdout.writes.length;
    for (let ms = 0; ms < 1_000; ms += 5) {
      const detail = `${1_000 - ms} connections`;
      reporter.report(eventAt(ms, { type: 'step-progress', droplet: 'web-1', step: 'drain', detail }));
      await clock.advance(5);
    }
    expect(stdout.writes.length - writes).toBeLessThanOrEqual(11);
    await clock.advance(100);
    expect(stdout.text).toContain('draining: 5 connections');
    await reporter.close();
  });

  it('updates the elapsed time when nothing happens, and draws nothing in between', async () => {
    const { reporter, stdout, clock } = await onTerminal();
    await play(until('drain', 1, 1), reporter, clock);
    const writes = stdout.writes.length;
    await clock.advance(20_000);
    expect(stdout.text).toMatch(/2\d s +draining/);
    expect(stdout.writes.length - writes).toBeLessThanOrEqual(21);
    await reporter.close();
    const closed = stdout.writes.length;
    await clock.advance(5_000);
    expect(stdout.writes).toHaveLength(closed);
  });

  it.each([40, 60, 80])('fits into %i columns', async (columns) => {
    const { reporter, stdout, clock } = await onTerminal(columns);
    await play(until('settle', 2, 3), reporter, clock);
    await clock.advance(200);
    const frame = frameOf(stdout);
    expect(frame).toHaveLength(7);
    expect(frame[2]).toMatch(/^ {3}DROPLET .* STEP$/);
    expect(frame[4]).toMatch(/^▸ {2}web-2 .*settling/);
    await reporter.close();
  });

  it('survives a terminal that is made narrower, and wider again', async () => {
    const { reporter, stdout, clock } = await onTerminal(110);
    await play(until('drain', 2, 3), reporter, clock);
    for (const columns of [50, 41, 120]) {
      stdout.resize(columns);
      await clock.advance(200);
      expect(stdout.lines.filter((line) => line.includes('DROPLET'))).toHaveLength(1);
      expect(frameOf(stdout)).toHaveLength(7);
    }
    expect(stdout.text).toContain('07:45:16  web-2  draining (out of rotation)\n');
    await reporter.close();
  });

  it('shows those in hand and counts when there are more droplets than rows', async () => {
    const { reporter, stdout, clock } = await onTerminal(100, 12);
    await play(until('drain', 9, 50), reporter, clock);
    await clock.advance(200);
    const frame = frameOf(stdout);
    expect(frame.length).toBeLessThan(12);
    expect(frame[3]).toMatch(/^▸ {2}web-9 .* draining$/);
    expect(frame.slice(-2)).toEqual(['48 other droplets: 8 deployed, 40 not deployed', 'serving: 49 of 50, floor 49']);
    expect(stdout.lines.filter((line) => line.includes('DROPLET'))).toHaveLength(1);
    await reporter.close();
  });

  it.each([1, 2, 3, 5])('does not break on a terminal of %i rows', async (rows) => {
    const { reporter, stdout, clock } = await onTerminal(80, rows);
    await play(scriptedRollout(3), reporter, clock);
    expect(stdout.lines.at(-1)).toBe('Deployed v2 to 3 droplets in 36 s.');
  });

  it('cuts characters of two columns where they fit', async () => {
    const { reporter, stdout, clock } = await onTerminal(50);
    reporter.report(eventAt(0, started([aRow(1, { name: '東京のウェブサーバー' }), aRow(2)])));
    await clock.advance(200);
    const [, , , wide, narrow] = frameOf(stdout);
    expect(wide).toMatch(/^ {3}東[京のウェブサーバー]*…[京のウェブサーバー]* +in/);
    expect(narrow).toMatch(/^ {3}web-2 +in/);
    await reporter.close();
  });

  it('makes room for an error', async () => {
    const { reporter, stdout, stderr, clock } = await onTerminal();
    await play(until('drain', 1, 2), reporter, clock);
    reporter.printError(new DeployError('x', 'It broke.'));
    expect(stdout.cursorShown).toBe(true);
    expect(stdout.text).not.toContain('TIME ');
    expect(stderr.text).toBe('error: It broke.\n');
  });

  it('is not drawn on a pipe', async () => {
    const { reporter, stdout, clock } = reporterOn({ mode: 'terminal' });
    await play(scriptedRollout(2), reporter, clock);
    expect(stdout.text).not.toContain('\x1b');
    expect(stdout.text).toContain('Deployed v2 to 2 droplets');
  });
});
