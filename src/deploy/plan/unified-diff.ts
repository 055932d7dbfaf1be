/** A unified diff of two texts, as `diff -u` prints it without the names of files. */

const CONTEXT = 3;

/** The comparison takes time and room for each pair of lines: beyond this, the whole middle counts as changed. */
const MAX_PAIRS = 4_000_000;

type Line = { sign: ' ' | '-' | '+'; text: string };

/** '' when there is no difference. */
export function unifiedDiff(before: string, after: string): string {
  const lines = compare(linesOf(before), linesOf(after));
  return hunksOf(lines)
    .map(([from, to]) => {
      const old = lines.slice(0, from).filter(({ sign }) => sign !== '+').length;
      const now = lines.slice(0, from).filter(({ sign }) => sign !== '-').length;
      const hunk = lines.slice(from, to);
      const olds = hunk.filter(({ sign }) => sign !== '+').length;
      const nows = hunk.filter(({ sign }) => sign !== '-').length;
      const range = (start: number, count: number) =>
        count === 1 ? `${start + 1}` : `${count ? start + 1 : start},${count}`;
      const head = `@@ -${range(old, olds)} +${range(now, nows)} @@`;
      return [head, ...hunk.map(({ sign, text }) => `${sign}${text}`)].join('\n');
    })
    .join('\n');
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return text.replace(/\n$/, '').split('\n');
}

/** By the longest common subsequence of what is between the common beginning and end. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const olds = before.slice(start, before.length - end);
  const nows = after.slice(start, after.length - end);
  const same = (text: string): Line => ({ sign: ' ', text });
  return [
    ...before.slice(0, start).map(same),
    ...(olds.length * nows.length > MAX_PAIRS ? replaced(olds, nows) : aligned(olds, nows)),
    ...before.slice(before.length - end).map(same),
  ];
}

function replaced(olds: readonly string[], nows: readonly string[]): Line[] {
  return [...olds.map((text): Line => ({ sign: '-', text })), ...nows.map((text): Line => ({ sign: '+', text }))];
}

function aligned(olds: readonly string[], nows: readonly string[]): Line[] {
  const width = nows.length + 1;
  const common = new Uint32Array((olds.length + 1) * width);
  const at = (old: number, now: number) => common[old * width + now] ?? 0;
  for (let old = olds.length - 1; old >= 0; old -= 1) {
    for (let now = nows.length - 1; now >= 0; now -= 1) {
      const longest = olds[old] === nows[now] ? at(old + 1, now + 1) + 1 : Math.max(at(old + 1, now), at(old, now + 1));
      common[old * width + now] = longest;
    }
  }
  const lines: Line[] = [];
  let [old, now] = [0, 0];
  while (old < olds.length && now < nows.length) {
    if (olds[old] === nows[now]) {
      lines.push({ sign: ' ', text: olds[old] as string });
      old += 1;
      now += 1;
    } else if (at(old + 1, now) >= at(old, now + 1)) {
      lines.push({ sign: '-', text: olds[old] as string });
      old += 1;
    } else {
      lines.push({ sign: '+', text: nows[now] as string });
      now += 1;
    }
  }
  return [...lines, ...replaced(olds.slice(old), nows.slice(now))];
}

/** Where each hunk begins and ends, context included. */
function hunksOf(lines: readonly Line[]): [from: number, to: number][] {
  const hunks: [number, number][] = [];
  for (const [index, { sign }] of lines.entries()) {
    if (sign === ' ') continue;
    const [from, to] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + 1 + CONTEXT)];
    const last = hunks.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = to;
    else hunks.push([from, to]);
  }
  return hunks;
}
