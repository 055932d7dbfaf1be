import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FanOut } from '../../src/reporters/fan-out.js';
import { CollectingReporter } from '../support/collecting-reporter.js';
import { reporterOn } from '../support/reporter-on.js';
import { eventAt, scriptedRollout } from '../support/scripted-events.js';

const NOTICE = eventAt(0, { type: 'notice', level: 'info', message: 'hello' });

describe('several reporters', () => {
  it('each get every event, though one of them throws', () => {
    const broken = {
      report() {
        throw new Error('broken');
      },
    };
    const [before, behind] = [new CollectingReporter(), new CollectingReporter()];
    new FanOut([before, broken, behind]).report(NOTICE);
    expect([before.events, behind.events]).toEqual([[NOTICE], [NOTICE]]);
  });

  it('are all closed, though one of them throws', async () => {
    const closed: string[] = [];
    const closing = (name: string) => ({
      report() {},
      close() {
        closed.push(name);
        if (name === 'b') throw new Error('broken');
      },
    });
    await new FanOut([closing('a'), closing('b'), closing('c')]).close();
    expect(closed).toEqual(['a', 'b', 'c']);
  });
});

describe('a reader who goes away', () => {
  it('does not stop the rollout', async () => {
    const stdout = new PassThrough();
    const { reporter } = reporterOn({ stdout: stdout as never });
    const [first, ...rest] = scriptedRollout(2);
    if (first) reporter.report(first);
    const gone = new Promise((resolve) => stdout.once('close', resolve));
    stdout.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await gone;
    for (const event of rest) reporter.report(event);
    await expect(reporter.close()).resolves.toBeUndefined();
  });
});
