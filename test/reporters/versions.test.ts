/** The commit of a release, and git's tags, as shown to the user. */
import { describe, expect, it } from 'vitest';
import type { TagRow } from '../../src/rollout/match-tags.js';
import type { HistoryEntry } from '../../src/rollout/model.js';
import { EmulatedTerminal } from '../support/fake-terminal.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, result, started, V1, V2 } from '../support/scripted-events.js';

const COMMIT = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d';

const ENTRY = {
  at: '2026-11-21T07:47:31.000Z',
  run: 'x',
  command: 'deploy',
  who: 'ann@laptop',
  release: V2,
  imageTag: 'v2',
  outcome: 'succeeded',
  durationMs: 1000,
} satisfies HistoryEntry;

describe('the commit of a release', () => {
  it('is in the first and last sentence of a rollout, with a note on uncommitted changes', () => {
    const { reporter, stdout } = reporterOn();
    const release = { id: V2, imageTag: 'v2', commit: COMMIT, dirty: true };
    reporter.report(eventAt(0, { ...started([aRow(1)]), release }));
    const rows = [aRow(1, { outcome: 'deployed' })];
    reporter.report(eventAt(1, { type: 'rollout-finished', result: result('succeeded', { release, rows }) }));
    const words = 'v2 (commit 1a2b3c4, with uncommitted changes)';
    expect(stdout.text).toContain(`Deploying shop ${words} to production`);
    expect(stdout.text).toContain(`Deployed ${words} to 1 droplet in`);
  });

  it('is shown once for each release in a status', () => {
    const { reporter, stdout } = reporterOn();
    const rows = [aRow(1, { commit: COMMIT }), aRow(2, { commit: COMMIT }), aRow(3, { release: V2 })];
    reporter.print({ type: 'status', heading: 'shop: production', rows: rows });
    expect(stdout.text.split('\n').slice(5)).toEqual([`  ${V1} is commit 1a2b3c4`, '']);
  });

  it('is a column of the history, in full in JSON', () => {
    const entries = [{ ...ENTRY, commit: COMMIT, dirty: true }, ENTRY];
    const plain = reporterOn();
    plain.reporter.print({ type: 'history', entries: entries });
    expect(plain.stdout.text).toMatch(/-v2 +1a2b3c4 \+changes +succeeded .*\n.*-v2 +- +succeeded /);
    const json = reporterOn({ mode: 'json' });
    json.reporter.print({ type: 'history', entries: entries });
    expect(JSON.parse(json.stdout.text.split('\n')[0] ?? '')).toMatchObject({ commit: COMMIT, dirty: true });
  });
});

describe('requests to the public address', () => {
  const probes = { url: 'https://shop.example.com/', total: 41, failed: 0, slowestMs: 84 };
  const firstFailure = { at: '2026-11-21T07:45:09.000Z', detail: 'HTTP 503' };
  const rows = [aRow(1, { outcome: 'deployed' })];

  it.each([
    [probes, '0 of 41 requests to https://shop.example.com/ failed, slowest 84 ms.'],
    [
      { ...probes, failed: 2, firstFailure },
      '2 of 41 requests to https://shop.example.com/ failed, slowest 84 ms. The first at 07:45:09: HTTP 503.',
    ],
  ])('are the last line of a deploy', (probed, line) => {
    const { reporter, stdout } = reporterOn();
    reporter.report(eventAt(0, started(rows)));
    reporter.report(eventAt(1, { type: 'rollout-finished', result: result('succeeded', { rows, probes: probed }) }));
    expect(stdout.text.trimEnd().split('\n').at(-1)).toMatch(line);
  });

  it('are a column of the history', () => {
    const { reporter, stdout } = reporterOn();
    reporter.print({ type: 'history', entries: [{ ...ENTRY, probes: { total: 41, failed: 2 } }, ENTRY] });
    expect(stdout.text).toMatch(/FAILED PROBES.*\n.* 2 of 41 .*\n.* 1 s +- /);
  });
});

describe("git's tags", () => {
  const tags: TagRow[] = [
    {
      name: 'v2',
      commit: COMMIT,
      at: '2026-11-21T08:45:00+01:00',
      subject: 'version v2',
      environments: [
        { environment: 'staging', droplets: 1, of: 1 },
        { environment: 'production', droplets: 1, of: 3 },
      ],
    },
    { name: 'v1', commit: COMMIT, at: '2026-11-20T07:45:00Z', subject: 'it \x1b[31mwas', environments: [] },
  ];
  const environments = [
    { name: 'staging', unreachable: [], untagged: [] },
    { name: 'production', unreachable: ['web-3'], untagged: [V1] },
    { name: 'old', unknown: 'there is no balancer "old"', unreachable: [], untagged: [] },
  ];

  it('are a table with the environments that run them, and below it what is unknown', () => {
    const { reporter, stdout } = reporterOn();
    reporter.print({ type: 'tags', tags, environments });
    expect(stdout.text).toBe(`TAG  WHEN (UTC)        COMMIT   RUNS ON                       SUBJECT
v2   2026-11-21 07:45  1a2b3c4  staging, production (1 of 3)  version v2
v1   2026-11-20 07:45  1a2b3c4                                it was
  production: no answer from web-3
  production: runs ${V1}, which has no tag
  old: unknown: there is no balancer "old"
`);
  });

  it('fit a narrow terminal, and may be none', () => {
    const narrow = reporterOn({ stdout: new EmulatedTerminal(40) });
    narrow.reporter.print({ type: 'tags', tags, environments: [] });
    const none = reporterOn();
    none.reporter.print({ type: 'tags', tags: [], environments: [] });
    expect(none.stdout.text).toBe('No tags yet. Create one: do-deploy tag NAME\n');
  });

  it('are one line of JSON', () => {
    const { reporter, stdout } = reporterOn({ mode: 'json' });
    reporter.print({ type: 'tags', tags, environments });
    expect(JSON.parse(stdout.text)).toEqual({ schema: 2, type: 'tags', tags, environments });
  });
});
