/** Building blocks of the sections' schemas. Their errors continue "KEY ", for example "ssh.port must be …". */
import { z } from 'zod';
import { DURATION, LONGEST_MS, parseDuration } from './duration.js';

/** Keys of a map in the file, with the schema of each one's value. */
export type Keys = Readonly<Record<string, z.ZodType>>;

type Optional<K extends Keys> = { [Key in keyof K]: z.ZodOptional<K[Key]> };

/** Every key may be left out: absent ones have a default, or the section reports them. */
export function optionalKeys<const K extends Keys>(keys: K): Optional<K> {
  const pairs = Object.entries(keys).map(([key, schema]) => [key, schema.optional()]);
  return Object.fromEntries(pairs) as Optional<K>;
}

/** A map with these keys, each of them optional, and no others. */
export function map<const K extends Keys>(keys: K, error = 'must be a map of keys and values') {
  return z.strictObject(optionalKeys(keys), { error });
}

/** Text that matches as a whole; by default anything without blanks. */
export function text(error: string, pattern = /^\S+$/) {
  return z.string({ error }).regex(pattern, { error, abort: true });
}

/** Text that may contain blanks: paths, names, passwords. */
export function anyText(error: string) {
  return text(error, /\S/);
}

export function bool() {
  return z.boolean({ error: 'must be true or false' });
}

/** A whole number, also written as text, because that is what a variable holds. */
export function wholeNumber(least: number, most: number, error: string, meta: { [key: string]: unknown }) {
  const number = z.int({ error }).min(least, { error }).max(most, { error });
  const isInRange = (value: number) => value >= least && value <= most;
  return z
    .union([number, text(error, /^\d+$/)], { error })
    .meta(meta)
    .transform(Number)
    .refine(isInRange, { error });
}

/** A duration in ms, written as `500ms`, `30s`, `2m` or `1h`; at most 24h. */
export function duration(meta: { [key: string]: unknown }) {
  return text('must be a duration with its unit: ms, s, m or h', DURATION)
    .meta(meta)
    .transform((value) => parseDuration(value) ?? 0)
    .refine((ms) => ms <= LONGEST_MS, { error: 'must be at most 24h' });
}

export function listOfPaths() {
  return z.array(anyText('must be a path'), { error: 'must be a list of paths' });
}
