/** `rollout.gates`: what is asked, from this machine, whether a rollout may go on. */
import { type Stats, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { DURATION, LONGEST_MS, parseDuration } from '../duration.js';
import type { SectionContext } from '../section.js';
import type { GateSettings, StatusRange } from '../settings.js';
import { isUpwards, STATUS_RANGE } from '../status-range.js';
import { anyText, map, text } from '../values.js';

const SHORTEST_MS = 100;

/** What answers a browser: redirects are not followed. */
const ANSWERED: readonly StatusRange[] = [{ from: 200, to: 399 }];

// Nothing here changes a value: zod documents no examples of a setting that does. See `toRanges` and `toMs`.

const BACKWARDS = 'is a range of HTTP statuses that runs backwards';
const STATUS = 'must be an HTTP status, a range such as 200-399, or a list of these';
const status = z.union(
  [
    z.int({ error: STATUS }).min(100, { error: STATUS }).max(599, { error: STATUS }),
    text(STATUS, STATUS_RANGE).refine(isUpwards, { error: BACKWARDS }),
  ],
  { error: STATUS },
);

export const expected = z.union([status, z.array(status, { error: STATUS }).min(1, { error: STATUS })], {
  error: STATUS,
});

export function toRanges(written: z.output<typeof expected> | undefined): StatusRange[] {
  if (written === undefined) return [...ANSWERED];
  return (Array.isArray(written) ? written : [written]).map((one) => {
    const [first = 0, last = first] = String(one).split('-').map(Number);
    return { from: first, to: last };
  });
}

const ADDRESS = 'must be an address that begins with http:// or https://, without a user name';

export const address = text(ADDRESS, /^https?:\/\/\S+$/).refine(isPublicAddress, { error: ADDRESS });

function isPublicAddress(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && url.username === '' && url.password === '';
}

/** Between 100 ms and a day. */
export const time = text('must be a duration with its unit: ms, s, m or h', DURATION)
  .refine((value) => toMs(value) >= SHORTEST_MS, { error: `must be at least ${SHORTEST_MS}ms` })
  .refine((value) => toMs(value) <= LONGEST_MS, { error: 'must be at most 24h' });

export function toMs(written: string): number {
  return parseDuration(written) ?? 0;
}

const TIMES = 'must be a whole number from 1 to 1000';
export const times = z.int({ error: TIMES }).min(1, { error: TIMES }).max(1000, { error: TIMES });

const gate = map(
  {
    name: text('must be a name of at most 40 letters a-z, digits, - and _', /^[A-Za-z0-9][\w-]{0,39}$/),
    command: anyText('must be a command line'),
    url: address,
    expect: expected,
    every: time,
    fail_after: times,
    timeout: time.meta({ examples: ['10s'] }),
  },
  'must be a map, such as { name: errors, command: scripts/error-rate.sh }',
);

/** Programs that run the script of their first argument. */
const INTERPRETERS = /^(?:ba|da|k|z)?sh$|^python3?$|^node$|^ruby$|^perl$|^php$/;

/** A word of a command line that the shell takes as it is, and that is a path. */
const PATH = /^[\w.@%+:,-]*(?:\/[\w.@%+:,-]*)+$/;

function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Why a command line could never run, as far as its first words say: a script that is missing, or not executable. */
function unusableProgram(root: string, line: string): { what: string; remedy: string } | undefined {
  const [first = '', second = ''] = line.trim().split(/\s+/);
  const isScript = INTERPRETERS.test(first) && PATH.test(second);
  const path = isScript ? second : first;
  if (!PATH.test(path)) return undefined;
  const found = look(resolve(root, path));
  if (found === undefined) {
    return { what: `there is no file ${path}`, remedy: 'correct the path, which starts at the folder of the project' };
  }
  if (!found.isFile()) return { what: `${path} is not a file`, remedy: `see what it is: \`ls -ld ${path}\`` };
  if (isScript || (found.mode & 0o111) !== 0) return undefined;
  return { what: `${path} is not executable`, remedy: `run \`chmod +x ${path}\`` };
}

const FORM = 'must be a list of gates, such as { name: errors, command: scripts/error-rate.sh }';

export const gates = z
  .array(gate, { error: FORM })
  .max(20, { error: 'must have at most 20 gates' })
  .meta({
    description:
      'Asked from here while a rollout rolls, pauses and bakes: `command`, a command line that fails, or `url`, an address that answers with another status than `expect` (`200-399`), stops it. `every` (`30s`), `fail_after` (`1`: so many failures in a row), `timeout` (`10s`). See [rollout.md](rollout.md#gates).',
    examples: [
      [
        { name: 'errors', command: 'scripts/error-rate.sh', every: '30s', fail_after: 2 },
        { name: 'alarms', url: 'https://alarms.example.com/shop', expect: 200 },
      ],
    ],
  });

/** A gate is a command or an address, and has a name of its own. */
export function resolveGates(
  written: z.output<typeof gates> = [],
  { problems, place, root, needs }: Pick<SectionContext, 'problems' | 'place' | 'root' | 'needs'>,
): GateSettings[] {
  const names = new Set<string>();
  return written.flatMap((one, index): GateSettings[] => {
    const tell = (key: string | undefined, message: string, remedy: string) =>
      problems.add(place('rollout', 'gates', index, ...(key === undefined ? [] : [key])), message, remedy);
    const { name, command, url, expect, every = '30s', fail_after: failAfter = 1, timeout = '10s' } = one;
    const what = `rollout.gates[${index}]`;
    if (name === undefined) {
      tell(undefined, `${what} has no name`, 'write `name: errors` in it');
      return [];
    }
    if (names.has(name)) tell('name', `${what} has the name of an earlier gate`, 'give each a name of its own');
    names.add(name);
    if ((command === undefined) === (url === undefined)) {
      const has = command === undefined ? 'neither command nor url' : 'both command and url';
      tell(undefined, `${what} has ${has}`, 'write one of the two: `command: scripts/error-rate.sh`');
      return [];
    }
    const at = place('rollout', 'gates', index, ...(command === undefined ? ['url'] : ['command']));
    const common = { name, place: at, everyMs: toMs(every), failAfter, timeoutMs: toMs(timeout) };
    if (command !== undefined) {
      // What leads away from a release asks no gate, and must not fail because one is gone.
      const unusable = needs === 'fleet' ? undefined : unusableProgram(root, command);
      if (unusable !== undefined) problems.add(at, `gate ${name}: ${unusable.what}`, unusable.remedy);
      if (expect !== undefined) tell('expect', `${what} expects a status of a command`, 'remove `expect`');
      return [{ ...common, command }];
    }
    return url === undefined ? [] : [{ ...common, url, expect: toRanges(expect) }];
  });
}
