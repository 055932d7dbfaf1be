/** Building blocks of layers' settings, written as in the rest of config/deploy.yml. */
import { z } from 'zod';

const DURATION = 'must be a duration with its unit, from 1s to 24h: s, m or h';
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
const LONGEST_MS = 24 * UNITS.h;

/** In ms, written as `30s`, `10m` or `1h`. */
export const durationMs = z
  .string(DURATION)
  .regex(/^\d{1,6}[smh]$/, DURATION)
  .transform((text) => Number(text.slice(0, -1)) * UNITS[text.slice(-1) as keyof typeof UNITS])
  .refine((ms) => ms >= UNITS.s && ms <= LONGEST_MS, DURATION);

const COMMAND = 'must be a command: words separated by blanks, or a list of words';

const QUOTES = 'must be words without quotes: write a list where a word has blanks';

/** `bin/rails db:migrate`, or a list where a word has blanks: no shell reads it. */
export const commandWords = z
  .union([z.string(COMMAND).regex(/^[^"']*$/, QUOTES), z.array(z.string(COMMAND), COMMAND)], COMMAND)
  .transform((written) => (typeof written === 'string' ? written.split(/\s+/).filter(Boolean) : written))
  .refine((words) => words.length > 0 && words.every((word) => !word.includes('\0')), COMMAND);
