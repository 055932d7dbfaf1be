import { z } from 'zod';
import { type FreezeWindow, isNoDate, isTimezone, type Moment, parseMoment } from '../freeze.js';
import { defineSection } from '../section.js';
import { anyText, map, text } from '../values.js';

const FORM = 'must be a list of windows, such as { from: "Fri 16:00", to: "Mon 08:00", timezone: Europe/Paris }';
const MOMENT = 'must be a day and a time, such as "Fri 16:00" or "2026-12-23 18:00"';

const moment = () =>
  anyText(MOMENT)
    .refine((value) => !isNoDate(value), { error: 'is a date that does not exist', abort: true })
    .refine((value) => parseMoment(value) !== undefined, { error: MOMENT });

function isAfter(first: Moment & { date: number }, last: Moment & { date: number }): boolean {
  return first.date > last.date || (first.date === last.date && first.minutes > last.minutes);
}

/** When nothing is deployed. */
export const freeze = defineSection({
  keys: {
    freeze: z
      .array(
        map(
          {
            from: moment(),
            to: moment(),
            timezone: text('must be a time zone, such as Europe/Paris').refine(isTimezone, {
              error: 'must be a time zone, such as Europe/Paris',
            }),
          },
          FORM,
        ),
        { error: FORM },
      )
      .max(100, { error: 'must have at most 100 windows' })
      .meta({
        description:
          'Times in which `deploy`, `rollback` and `adopt` are refused without `--during-freeze`: from one day of the week, or one date, to another, in a `timezone` (`UTC`). See [rollout.md](rollout.md#freeze).',
        examples: [
          [
            { from: 'Fri 16:00', to: 'Mon 08:00', timezone: 'Europe/Paris' },
            { from: '2026-12-23 18:00', to: '2027-01-02 08:00', timezone: 'Europe/Paris' },
          ],
        ],
      }),
  },
  resolve({ freeze: written = [] }, { problems, place }): { freeze?: FreezeWindow[] } {
    const windows = written.flatMap(({ from, to, timezone = 'UTC' }, index): FreezeWindow[] => {
      const tell = (message: string, remedy: string) =>
        problems.add(place('freeze', index), `freeze[${index}] ${message}`, remedy);
      if (from === undefined || to === undefined) {
        tell('has no from or no to', 'write both: `{ from: "Fri 16:00", to: "Mon 08:00" }`');
        return [];
      }
      const [first, last] = [parseMoment(from), parseMoment(to)];
      if ((first?.day === undefined) !== (last?.day === undefined)) {
        tell('has a day of the week and a date', 'write two days, or two dates');
      } else if (from === to) tell('ends where it begins', 'write another time in one of the two');
      else if (first?.date !== undefined && last?.date !== undefined && isAfter(first, last)) {
        tell('ends before it begins', 'exchange the two');
      }
      return [{ from, to, timezone }];
    });
    return windows.length > 0 ? { freeze: windows } : {};
  },
});
