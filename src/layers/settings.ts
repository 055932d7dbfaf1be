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

const PLAIN = 'must be plain words, because no shell reads them: write a list, such as [sh, -c, "bin/one && bin/two"]';

/** `bin/rails db:migrate`, or a list where a word has blanks: no shell reads it. */
export const commandWords = z
  .union([z.string(COMMAND).regex(/^[^"'`;&|<>]*$/, PLAIN), z.array(z.string(COMMAND), COMMAND)], COMMAND)
  .transform((written) => (typeof written === 'string' ? written.split(/\s+/).filter(Boolean) : written))
  .refine((words) => words.length > 0 && words.every((word) => !word.includes('\0')), COMMAND);

const ADDRESS = 'must be an address that begins with https:// or http://, without a user, a password and a query';

/** The address of a service, without a slash at its end. */
export function serviceUrl() {
  return z
    .string({ error: ADDRESS })
    .refine(isServiceUrl, { error: ADDRESS })
    .transform((url) => url.replace(/\/+$/, ''));
}

function isServiceUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s?#]+$/i.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/** A secret that goes into a header. */
export function token() {
  const error = 'must be a text without blanks and line breaks';
  return z.string({ error }).regex(/^[\x21-\x7e]{1,4096}$/, { error });
}

/** Text from the file, of one line. */
export function words(most = 200) {
  const error = `must be a text of 1 to ${most} characters, in one line`;
  const isLine = (text: string) => text.trim() !== '' && text.length <= most && !/\p{Cc}/u.test(text);
  return z.string({ error }).refine(isLine, { error });
}

export function listOfWords() {
  return z.array(words(), { error: 'must be a list of texts' }).max(50, { error: 'must have at most 50 entries' });
}
