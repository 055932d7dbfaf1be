/** Reports in a real browser: nothing runs, nothing is asked for, and everything can be read. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportOfRun } from '../../src/reporters/report/page.js';
import type { DeployEvent } from '../../src/rollout/model.js';
import { Chromium, findChromium, type Looks } from '../support/chromium.js';
import { hostileRun } from '../support/hostile-run.js';
import { scriptedRollout, withProbes } from '../support/scripted-events.js';

const program = findChromium();
/** Where the pictures stay, to be looked at. */
const kept = process.env.DO_DEPLOY_SCREENSHOTS;

const RUNS: Record<string, DeployEvent[]> = {
  succeeded: withProbes(scriptedRollout(3)),
  failed: withProbes(scriptedRollout(3, 2), 18_000),
  'of 40 droplets': withProbes(scriptedRollout(40)),
  'of 200 droplets': withProbes(scriptedRollout(200, 150)),
  hostile: hostileRun(),
};
const LOOKS: Record<string, Looks> = {
  light: { width: 1_200, scheme: 'light' },
  dark: { width: 1_200, scheme: 'dark' },
  phone: { width: 390, scheme: 'light' },
};

describe.skipIf(program === undefined)('in Chromium (skipped where it is not installed)', () => {
  let browser: Chromium;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'do-deploy-report-'));
    browser = await Chromium.start(program ?? '');
    for (const [name, events] of Object.entries(RUNS)) writeFileSync(join(folder, `${name}.html`), reportOfRun(events));
    if (kept !== undefined) mkdirSync(kept, { recursive: true });
  });
  afterAll(async () => {
    await browser?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (name: string, looks: Looks) => browser.open(pathToFileURL(join(folder, `${name}.html`)).href, looks);

  it.sequential.each(Object.keys(RUNS).flatMap((name) => Object.keys(LOOKS).map((looks) => [name, looks] as const)))(
    'a run that is %s, %s',
    async (name, look) => {
      await open(name, LOOKS[look] as Looks);
      expect(browser.troubles()).toEqual([]);
      expect(await browser.evaluate('document.scripts.length + document.images.length')).toBe(0);
      expect(await browser.evaluate('document.querySelectorAll("main h1, footer").length')).toBe(2);
      expect(
        await browser.evaluate('document.documentElement.scrollWidth - innerWidth'),
        'wider than the page',
      ).toBeLessThanOrEqual(0);
      expect(await browser.evaluate<number[]>(OUTSIDE), 'pieces outside of their chart').toEqual([]);
      expect(await browser.evaluate<string[]>(PALE), 'words that are hard to read').toEqual([]);
      if (kept !== undefined) writeFileSync(join(kept, `${name} ${look}.png`), await browser.screenshot());
    },
  );

  it.sequential('each graphic has a name, and the columns of each table too', async () => {
    for (const [look, color] of [
      ['light', 'rgb(255, 255, 255)'],
      ['dark', 'rgb(13, 17, 23)'],
    ] as const) {
      await open('failed', LOOKS[look] as Looks);
      expect(await browser.evaluate(BACKGROUND)).toBe(color);
    }
    const graphics = [...(await browser.accessibleNames('image')), ...(await browser.accessibleNames('img'))].join(
      '\n',
    );
    for (const name of [
      'in rotation, against the floor',
      'Slowest answer',
      'run each release',
      'Steps of each droplet',
    ]) {
      expect(graphics).toContain(name);
    }
    await browser.evaluate('document.querySelector("details").open = true');
    expect(await browser.accessibleNames('columnheader')).toEqual(
      expect.arrayContaining(['Droplet', 'Rotation', 'Floor', 'Failed']),
    );
    expect(await browser.accessibleNames('rowheader')).toEqual(expect.arrayContaining(['web-1', '0:00']));
  });

  it.sequential('can be printed, dark on white, with the tables that are folded on a screen', async () => {
    await open('failed', { width: 800, scheme: 'dark', media: 'print' });
    expect(await browser.evaluate(BACKGROUND)).toBe('rgb(255, 255, 255)');
    expect(await browser.evaluate('document.querySelector("details").open')).toBe(false);
    expect(await browser.evaluate('document.querySelector("details table").checkVisibility()')).toBe(true);
    expect(await browser.evaluate<string[]>(PALE)).toEqual([]);
    const pdf = await browser.pdf();
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    if (kept !== undefined) writeFileSync(join(kept, 'failed.pdf'), pdf);
  });
});

const BACKGROUND = 'getComputedStyle(document.body).backgroundColor';

/** Half a pixel may be lost by rounding, and an outline stands one out. */
const OUTSIDE = `[...document.querySelectorAll('.lane rect')].filter((rect) => {
  const [own, chart] = [rect.getBoundingClientRect(), rect.ownerSVGElement.getBoundingClientRect()];
  return own.left < chart.left - 1.5 || own.right > chart.right + 1.5 || own.top < chart.top - 1.5 || own.bottom > chart.bottom + 1.5;
}).map((rect) => rect.outerHTML)`;

/** Texts whose contrast is below 4.5 to 1 (WCAG 2.2, success criterion 1.4.3). */
const PALE = `(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [...document.querySelectorAll('h1,h2,h3,p,dt,dd,th,td,pre,code,span,small,b,li,caption,figcaption,footer')];
  return texts.filter((element) => {
    const [one, other] = [getComputedStyle(element).color, behind(element)].map((color) => luminance(channels(color)));
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) < 4.5;
  }).map((element) => element.outerHTML.slice(0, 200)).slice(0, 5);
})()`;
