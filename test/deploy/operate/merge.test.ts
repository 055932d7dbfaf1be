import { describe, expect, it } from 'vitest';
import { Merge } from '../../../src/deploy/operate/logs/merge.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const at = (time: number, text = `${time}`) => ({ time: String(time).padStart(6, '0'), text });

function merging() {
  const clock = new VirtualClock({ start: 0 });
  const merge = new Merge<ReturnType<typeof at>>(clock);
  const shown: { text: string; at: number }[] = [];
  const reading = (async () => {
    for await (const { text } of merge.lines()) shown.push({ text, at: clock.now() });
  })();
  const texts = () => shown.map(({ text }) => text);
  return { clock, merge, shown, texts, reading };
}

describe('lines of several sources', () => {
  it('come by time, whoever is first', async () => {
    const { clock, merge, texts, reading } = merging();
    const [a, b] = [merge.open(), merge.open()];
    const story = async () => {
      for (const time of [1, 4, 5]) await a.add(at(time));
      await clock.sleep(100);
      for (const time of [2, 3, 6]) await b.add(at(time));
      a.close();
      b.close();
      merge.close();
      await reading;
    };
    await clock.run(story());
    expect(texts()).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('wait less than a second for a source that stalls, and no longer for the next ones', async () => {
    const { clock, merge, shown, reading } = merging();
    const [busy, stalled] = [merge.open(), merge.open()];
    const story = async () => {
      await busy.add(at(1));
      await clock.sleep(5_000);
      await busy.add(at(2));
      await clock.sleep(5_000);
      await stalled.add(at(0, 'late'));
      busy.close();
      stalled.close();
      merge.close();
      await reading;
    };
    await clock.run(story());
    expect(shown.map(({ text }) => text)).toEqual(['1', '2', 'late']);
    expect(shown[0]?.at).toBeLessThan(1_000);
    expect((shown[1]?.at ?? 0) - 5_000).toBeLessThan(500);
  });

  it('are put in order while all are quiet, too', async () => {
    const { clock, merge, texts, reading } = merging();
    const [a, b] = [merge.open(), merge.open()];
    const story = async () => {
      await clock.sleep(10_000);
      await a.add(at(2));
      await clock.sleep(100);
      await b.add(at(1));
      await clock.sleep(1_000);
      a.close();
      b.close();
      merge.close();
      await reading;
    };
    await clock.run(story());
    expect(texts()).toEqual(['1', '2']);
  });

  it('are held in bounded number: a source that floods waits for a reader', async () => {
    const clock = new VirtualClock({ start: 0 });
    const merge = new Merge<ReturnType<typeof at>>(clock);
    const source = merge.open();
    let added = 0;
    const flood = async () => {
      for (; added < 10_000; added += 1) await source.add(at(added));
      source.close();
      merge.close();
    };
    const flooding = flood();
    await clock.run(clock.sleep(1_000));
    expect(added).toBeLessThanOrEqual(500);
    let read = 0;
    const story = async () => {
      for await (const _ of merge.lines()) read += 1;
      await flooding;
    };
    await clock.run(story());
    expect(read).toBe(10_000);

    const large = merge.open();
    let characters = 0;
    const floodLarge = async () => {
      for (; characters < 50_000_000; characters += 50_000) await large.add(at(1, 'x'.repeat(50_000)));
    };
    const waiting = floodLarge();
    await clock.run(clock.sleep(1_000));
    expect(characters).toBeLessThan(1_000_000);
    merge.cancel();
    await clock.run(waiting);
  });
});
