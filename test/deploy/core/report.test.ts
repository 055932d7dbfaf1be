import { expect, it } from 'vitest';
import { reportTask } from '../../../src/deploy/core/report.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

it.each([false, true])(
  'what takes its time outside of steps has a beginning and an end (failed: %s)',
  async (fails) => {
    const [clock, reporter] = [new VirtualClock(), new CollectingReporter()];
    const work = async () => {
      await clock.sleep(70_000);
      if (fails) throw new Error('no');
      return 'yes';
    };
    const done = reportTask({ clock, reporter }, 'observe', work).catch(({ message }: Error) => message);
    expect(await clock.run(done)).toBe(fails ? 'no' : 'yes');
    expect(reporter.events).toMatchObject([
      { type: 'task-started', task: 'observe' },
      { type: 'task-finished', task: 'observe', ms: 70_000 },
    ]);
  },
);
