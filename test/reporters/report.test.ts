/** The page about a run: what it says, and that no text from outside can be anything but text. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { reportOfEntry, reportOfRun } from '../../src/reporters/report/page.js';
import type { HistoryEntry } from '../../src/rollout/model.js';
import { ATTACKS, hostileRun } from '../support/hostile-run.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';
import {
  aRow,
  eventAt,
  OUT_OF_MEMORY,
  result,
  scriptedRollout,
  started,
  V2,
  withProbes,
} from '../support/scripted-events.js';

const ENTRY: HistoryEntry = {
  at: '2026-11-21T07:47:31.000Z',
  run: `deploy ${V2} 2026-11-21T07:45:00.000Z ann@laptop`,
  environment: 'production',
  command: 'deploy',
  who: 'ann@laptop',
  release: V2,
  imageTag: 'v2',
  outcome: 'failed',
  durationMs: 151_000,
  probes: { total: 142, failed: 3 },
  droplets: [400_000_001, 400_000_002],
  error: { code: 'health-timeout', droplet: 'web-2', step: 'health' },
};

const PAGES: Record<string, string> = {
  'a run that succeeded': reportOfRun(withProbes(scriptedRollout(3))),
  'a run that failed': reportOfRun(withProbes(scriptedRollout(3, 2), 18_000)),
  'one event of each kind': reportOfRun(SAMPLE_EVENTS),
  'a run that was killed': reportOfRun(scriptedRollout(3).slice(0, 40)),
  'a hostile run': reportOfRun(hostileRun()),
  'a line of the history': reportOfEntry(ENTRY, 'It was made elsewhere.'),
  'a hostile line of the history': reportOfEntry(
    {
      ...ENTRY,
      who: ATTACKS.join(''),
      url: `javascript:${ATTACKS[0]}`,
      run: ATTACKS[1] ?? '',
      imageTag: ATTACKS[2] ?? '',
    },
    'It was made elsewhere.',
  ),
};

/** Tags, and their attributes, which are all quoted. */
const TAG = /<(\/?)([a-z][a-z0-9]*)((?: [a-z0-9-]+="[^"<>]*")*)\/?>/g;

describe.each(Object.entries(PAGES))('the page about %s', (_, page) => {
  const [head = '', rest = ''] = page.split('</head>');
  const body = rest.replace(/<\/html>\n$/, '');

  it('has one title, a policy that allows its own style and nothing else, and no script', () => {
    const [style = ''] = /(?<=<style>)[\s\S]*?(?=<\/style>)/.exec(page) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(head).toContain(
      `content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`,
    );
    expect(head.match(/<title>/g)).toHaveLength(1);
    expect(page).not.toMatch(/<script|<iframe|<img|<link|<a |https?:[^<]*url\(/i);
    expect(style).not.toMatch(/url\(|@import/);
  });

  it('consists of known tags, in which no attribute comes from outside, and of text without < and >', () => {
    const tags = new Set<string>();
    const attributes = new Set<string>();
    const open: string[] = [];
    for (const [all, slash, name = '', given = ''] of body.matchAll(TAG)) {
      tags.add(name);
      for (const [, attribute = ''] of given.matchAll(/ ([a-z0-9-]+)="[^"]*"/g)) attributes.add(attribute);
      if (slash) expect(open.pop(), all).toBe(name);
      else if (!all.endsWith('/>')) open.push(name);
    }
    expect(open).toEqual([]);
    expect([...attributes].filter((one) => /^(on|style|href|src)/.test(one))).toEqual([]);
    const text = body.replace(TAG, '');
    expect(text).not.toMatch(/[<>]/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
    expect([...tags].filter((one) => !KNOWN_TAGS.has(one))).toEqual([]);
  });

  it('names each graphic, and what the cells of each table belong to', () => {
    const names = [...body.matchAll(/<svg role="img" aria-labelledby="([a-z0-9-]+) ([a-z0-9-]+)"/g)];
    for (const [, title, desc] of names) {
      expect(body).toContain(`<title id="${title}">`);
      expect(body).toContain(`<desc id="${desc}">`);
    }
    for (const [cell] of body.matchAll(/<th[ >][^>]*/g)) expect(cell).toMatch(/scope="(row|col)"/);
  });
});

const KNOWN_TAGS = new Set(
  'html body main h1 h2 h3 p span dl dt dd bdi div small b code pre ul ol li table caption thead tbody tr th td figure figcaption details summary footer svg title desc rect line text'.split(
    ' ',
  ),
);

describe('says', () => {
  it('how the run ended, what to do next, and what was found', () => {
    const page = PAGES['a run that failed'] ?? '';
    expect(page).toContain('<title>Deploying shop v2 to production: failed</title>');
    expect(page).toContain(
      'failed</span>Deploy failed on web-2 while waiting for healthy containers: app exited 137: out of memory',
    );
    expect(page).toContain('<p>Next: <code>do-deploy heal production</code></p>');
    expect(page).toContain('<h3><bdi>web-2</bdi>: app exited 137: out of memory</h3>');
    expect(page).toContain('<pre tabindex="0">Starting shop v2\nHeap is 512 MB\nKilled</pre>');
    expect(page).toContain('212 MB of 1.9 GB of memory available');
    expect(page).toContain(
      '<desc id="rotation-0-d">At the fewest 2 of 3 droplets were in rotation; the floor was 2.</desc>',
    );
    expect(page).toMatch(/<desc id="probe-d">\d+ requests, 1 failed, slowest answer \d+ ms\.<\/desc>/);
    expect(page).toContain('Failed: web-2.');
  });

  it('plainly that a record has no end, and that there is only a line of the history', () => {
    expect(PAGES['a run that was killed']).toContain('the run was killed, or it is still going on.');
    const entry = PAGES['a line of the history'] ?? '';
    expect(entry).toContain(
      '<p class="note">It was made elsewhere. This is what the history on the droplets has of the run',
    );
    expect(entry).toContain('failed after 2 min 31 s: health-timeout on web-2, at the step health.');
    expect(entry).toContain('3 of 142 requests failed');
    expect(entry).not.toContain('<svg');
  });

  it('something also of a run that ended before it had found the fleet', () => {
    const error = { code: 'load-balancer-missing', message: 'There is no balancer web.', source: 'user' } as const;
    const page = reportOfRun([
      eventAt(0, { type: 'phase-started', phase: 'discover' }),
      eventAt(900, { type: 'rollout-finished', command: 'rollback', result: result('failed', { rows: [], error }) }),
    ]);
    expect(page).toContain('<h1>Rollback</h1>');
    expect(page).toContain('Rollback failed: There is no balancer web.');
    expect(page).toContain('The run ended before it knew the droplets.');
    expect(reportOfRun([])).toContain('no end');
  });
});

it('of 200 droplets with long names, all of them sick, and a probe of two hours is smaller than a megabyte', () => {
  const name = (n: number) => `shop-production-application-server-of-the-north-${n}.fra1.internal.example.com`;
  const rows = Array.from({ length: 200 }, (_, n) => aRow(n, { name: name(n), detail: 'x'.repeat(500) }));
  const log = Array.from({ length: 50 }, () => '<"&\''.repeat(120));
  const evidence = rows.map((row) => ({
    droplet: row.name,
    evidence: { ...OUT_OF_MEMORY, containers: [{ service: 'app', state: 'exited', restarts: 1, log }] },
  }));
  const events = scriptedRollout(200)
    .map((event) =>
      JSON.parse(JSON.stringify(event).replaceAll(/"web-(\d+)"/g, (_, n) => JSON.stringify(name(Number(n))))),
    )
    .slice(0, -1);
  const probes = Array.from({ length: 3_600 }, (_, n) =>
    eventAt(n * 2_000, { type: 'probed', total: 2 * n + 2, failed: Math.ceil(n / 2), slowestMs: n % 97 }),
  );
  const warnings = Array.from({ length: 5_000 }, (_, n) =>
    eventAt(n, { type: 'notice', level: 'warning', message: '<'.repeat(300), droplet: name(n % 200) }),
  );
  const end = eventAt(7_200_000, { type: 'rollout-finished', result: result('failed', { rows, evidence }) });
  const page = reportOfRun([...events, ...probes, ...warnings, end]);
  expect(Buffer.byteLength(page)).toBeLessThan(1_000_000);
  expect(page).toContain('There is more than this page has room for');
  expect(page).toContain('more lines are in the log of the run.');
});

it('of roles has a lane of rotation for each, with the floor of each', () => {
  const roles = [aRow(1, { role: 'web' }), aRow(2, { role: 'web' }), aRow(3, { role: 'worker', rotation: 'none' })];
  const page = reportOfRun([
    eventAt(0, started(roles)),
    eventAt(1_000, { type: 'capacity', serving: 2, of: 2, floor: 1, role: 'web' }),
    eventAt(2_000, { type: 'row-changed', row: aRow(1, { role: 'web', rotation: 'out' }) }),
    eventAt(9_000, { type: 'rollout-finished', result: result('interrupted', { rows: roles }) }),
  ]);
  expect(page).toContain('At the fewest 1 of 2 droplets of web were in rotation; the floor was 1.');
  expect(page).not.toContain('of worker were in rotation');
});

it('is the same for the same run', () => {
  expect(reportOfRun(hostileRun())).toBe(PAGES['a hostile run']);
});
