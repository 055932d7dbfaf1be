import { describe, expect, it } from 'vitest';
import { createPalette } from '../../src/reporters/palette.js';
import { statusTable } from '../../src/reporters/table.js';
import { duration, truncate, truncateAll, widthOf } from '../../src/reporters/text.js';
import { EmulatedTerminal } from '../support/fake-terminal.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, V1 } from '../support/scripted-events.js';

const WIDE_OPEN = { result: true, width: Number.POSITIVE_INFINITY, palette: createPalette(false) };

describe('the status table', () => {
  it('fits the terminal: it cuts texts, then leaves out columns, never the name and the result', () => {
    const rows = [aRow(1, { name: 'a-droplet-with-a-very-long-name' }), aRow(2, { outcome: 'deploy failed' })];
    for (let width = 30; width < 140; width += 1) {
      const lines = statusTable(rows, { ...WIDE_OPEN, width });
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(width);
      expect(lines[0]).toMatch(/^DROPLET .* RESULT$/);
      expect(lines[2]).toMatch(/^web-2 .* deploy failed$/);
    }
    const at = (width: number) => statusTable(rows, { ...WIDE_OPEN, width })[2];
    expect(at(70)).toMatch(/^web-2 +203\.0\.113\.2 +in +….*Z-v1 +healthy +deploy failed$/);
    expect(at(60)).toMatch(/^web-2 +in +….*Z-v1 +healthy +deploy failed$/);
    expect(at(40)).toMatch(/^web-2 +in +deploy failed$/);
  });

  it("keeps DigitalOcean's default names and similar releases apart at every width of a terminal", () => {
    const sizes = ['s-1vcpu-1gb', 's-2vcpu-4gb', 'c-2-4gib'];
    const names = sizes.flatMap((size) =>
      ['fra1-01', 'fra1-02', 'nyc3-01', 'nyc3-02'].map((place) => `ubuntu-${size}-${place}`),
    );
    const releases = ['20261128T041200Z-main-0f3ab', '20261128T050000Z-main-0f3ab', '20261128T050000Z-main-0f3ac'];
    const rows = names.map((name, index) => aRow(index, { name, release: releases[index % 3] ?? '' }));
    for (const [least, result] of [
      [50, false],
      [60, true],
    ] as const) {
      for (let width = least; width <= 120; width += 1) {
        const [headings = '', ...lines] = statusTable(rows, { ...WIDE_OPEN, result, width });
        const release = headings.split(/ {2,}/).indexOf('RELEASE');
        const shown = (index: number) => new Set(lines.map((line) => line.split(/ {2,}/)[index])).size;
        expect(shown(0), `names at ${width}`).toBe(names.length);
        if (release >= 0) expect(shown(release), `releases at ${width}`).toBe(3);
        expect(release >= 0 || width < 80, `the release at ${width}`).toBe(true);
      }
    }
  });

  it('colours the outcome of each droplet', () => {
    const colored = (outcome: 'deployed' | 'not deployed' | 'deploy failed' | 'reverted') =>
      statusTable([aRow(1, { outcome })], { ...WIDE_OPEN, palette: createPalette(true) })[1];
    expect(colored('deployed')).toContain('\x1b[32mdeployed\x1b[39m');
    expect(colored('not deployed')).toContain('\x1b[2mnot deployed\x1b[22m');
    expect(colored('deploy failed')).toContain('\x1b[31mdeploy failed\x1b[39m');
    expect(colored('reverted')).toContain('\x1b[33mreverted\x1b[39m');
  });

  it('has no colour by default', () => {
    createPalette(true);
    expect(statusTable([aRow(1)], WIDE_OPEN).join('')).not.toContain('\x1b');
  });

  it('shows a droplet without a balancer as in no rotation', () => {
    expect(statusTable([aRow(1, { rotation: 'none' })], WIDE_OPEN)[1]).toMatch(/^web-1 +203\.0\.113\.1 +- /);
  });
});

describe('a status', () => {
  const rows = [aRow(1), aRow(2, { rotation: 'out', health: 'unknown', outSince: '2026-11-21T07:45:00Z by ana' })];

  it('has a heading, no result, and shows since when a droplet is out', () => {
    const { reporter, stdout } = reporterOn();
    reporter.print({ type: 'status', heading: 'shop: production', rows: rows });
    reporter.print({ type: 'status', heading: 'shop: staging', rows: [aRow(3)] });
    expect(stdout.text).toBe(`shop: production
DROPLET  ADDRESS      ROTATION  RELEASE              HEALTH
web-1    203.0.113.1  in        ${V1}  healthy
web-2    203.0.113.2  out       ${V1}  unknown
  web-2: out since 2026-11-21T07:45:00Z by ana

shop: staging
DROPLET  ADDRESS      ROTATION  RELEASE              HEALTH
web-3    203.0.113.3  in        ${V1}  healthy
`);
  });

  it('is as wide as the terminal', () => {
    const { reporter, stdout } = reporterOn({ mode: 'terminal', stdout: new EmulatedTerminal(50) });
    reporter.print({ type: 'status', heading: 'shop', rows: [aRow(1)] });
    expect(stdout.lines).toEqual([
      'shop',
      'DROPLET  ROTATION  RELEASE              HEALTH',
      `web-1    in        ${V1}  healthy`,
    ]);
  });

  it('is one JSON line with --json', () => {
    const { reporter, stdout } = reporterOn({ mode: 'json' });
    reporter.print({ type: 'status', heading: 'shop: production', rows: rows });
    expect(JSON.parse(stdout.text)).toEqual({ schema: 2, type: 'status', heading: 'shop: production', rows });
    expect(stdout.text.match(/\n/g)).toHaveLength(1);
  });
});

describe('text on a terminal', () => {
  it.each([
    ['web-1', 5],
    ['\x1b[31mweb-1\x1b[39m', 5],
    ['東京', 4],
    ['é', 1],
    ['👩‍💻', 2],
    ['…', 1],
  ])('%j is as wide as it looks', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  it('is cut at whole characters, with an ellipsis', () => {
    expect(truncate('abcdef', 6)).toBe('abcdef');
    expect(truncate('abcdef', 4)).toBe('abc…');
    expect(truncate('abcdef', 4, 'start')).toBe('…def');
    expect(truncate('東京都', 4)).toBe('東…');
    expect(truncate('👩‍💻👩‍💻', 3)).toBe('👩‍💻…');
    expect(truncate('abcdef', 4, 'middle')).toBe('ab…f');
  });

  it('is cut so that different texts still differ', () => {
    const defaults = ['ubuntu-s-2vcpu-4gb-fra1-01', 'ubuntu-s-2vcpu-4gb-fra1-02'];
    expect(truncateAll(defaults, 12, 'middle')).toEqual(['ubuntu…a1-01', 'ubuntu…a1-02']);
    const qualified = ['web-1.eu.example.com', 'web-2.eu.example.com'];
    expect(truncateAll(qualified, 9, 'start')).toEqual(['…1.eu.ex…', '…2.eu.ex…']);
    const sameTag = ['20261128T041200Z-main-0f3ab', '20261128T050000Z-main-0f3ab'];
    expect(truncateAll(sameTag, 9, 'start')).toEqual(['…41200Z-…', '…50000Z-…']);
    expect(truncateAll(['same-name', 'same-name'], 5)).toEqual(['same…', 'same…']);
  });

  it.each([
    [40, '40 ms'],
    [1_234, '1.2 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min'],
    [185_000, '3 min 5 s'],
  ])('%i ms are %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
