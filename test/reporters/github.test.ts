import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeployError } from '../../src/errors.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, OUT_OF_MEMORY, result, scriptedRollout, started } from '../support/scripted-events.js';

let folder: string;
let summaryPath: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'do-deploy-github-'));
  summaryPath = join(folder, 'summary.md');
});

afterEach(() => rmSync(folder, { recursive: true }));

function inActions(secrets: string[] = []) {
  return reporterOn({ mode: 'terminal', github: { summaryPath }, secrets });
}

describe('in GitHub Actions', () => {
  it('the log is folded into a group for each phase and batch', () => {
    const { reporter, stdout } = inActions();
    for (const event of scriptedRollout(2)) reporter.report(event);
    const commands = stdout.text.split('\n').filter((line) => line.startsWith('::'));
    const groups = commands.filter((line) => line.startsWith('::group::'));
    expect(groups.map((line) => line.slice('::group::'.length))).toEqual([
      'Finding the fleet',
      'Locking the fleet',
      'Staging the release on every droplet',
      'Batch 1: web-1 (1 droplet after this)',
      'Batch 2: web-2 (the last batch)',
      'Cleaning up',
    ]);
    expect(commands.filter((line) => line === '::endgroup::')).toHaveLength(groups.length);
    expect(stdout.text.indexOf('DROPLET')).toBeGreaterThan(stdout.text.lastIndexOf('::endgroup::'));
  });

  it('a failure is a one-line annotation with the next command', () => {
    const { reporter, stdout } = inActions();
    for (const event of scriptedRollout(3, 2)) reporter.report(event);
    expect(stdout.text.match(/^::error.*$/gm)).toEqual([
      '::error title=do-deploy%3A web-2::Deploy failed on web-2 while waiting for healthy containers: app exited 137: ' +
        'out of memory%0A1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.' +
        '%0ANext: do-deploy heal production',
    ]);
  });

  it('warnings are annotations, with percent signs and line breaks escaped', () => {
    const { reporter, stdout } = inActions();
    reporter.report(eventAt(0, { type: 'notice', level: 'warning', message: '92% full\nsoon', droplet: 'web-1' }));
    reporter.report(eventAt(0, { type: 'notice', level: 'info', message: 'fine' }));
    expect(stdout.text.match(/^::.*$/gm)).toEqual(['::warning title=do-deploy%3A web-1::92%25 full%0Asoon']);
  });

  it('an error before the rollout is an annotation and text in the log', () => {
    const { reporter, stdout, stderr } = inActions(['hunter22']);
    reporter.printError(new DeployError('x', 'It broke: hunter22.', { hint: 'Fix it.' }));
    expect(stdout.text).toBe('::error title=do-deploy::error: It broke: [secret].%0A  try: Fix it.\n');
    expect(stderr.text).toBe('error: It broke: [secret].\n  try: Fix it.\n');
  });

  it('the log of a container cannot give the runner commands', () => {
    const { reporter, stdout, stderr } = inActions();
    const message = 'compose said:\n::set-output name=a::b\n  ::stop-commands::x\n##[add-mask]y';
    reporter.report(eventAt(0, { type: 'notice', level: 'info', message }));
    reporter.printError(new DeployError('x', message));
    expect(stdout.text.replace(/^::error.*$/m, '') + stderr.text).not.toMatch(/^\s*::|##\[/m);
  });

  it('the summary page has the table, the evidence and the next command', () => {
    const { reporter } = inActions();
    for (const event of scriptedRollout(3, 2)) reporter.report(event);
    const page = readFileSync(summaryPath, 'utf8');
    expect(page).toMatch(
      /^### Deploy failed on web-2 while waiting for healthy containers: app exited 137: out of memory\n/,
    );
    expect(page).toContain('| web-2 | 203.0.113.2 | out | 20261121T074500Z-v2 | not healthy | deploy failed |\n');
    expect(page).toContain('<summary>web-2: app exited 137: out of memory</summary>\n');
    expect(page).toContain('\nStarting shop v2\nHeap is 512 MB\nKilled\n```\n');
    expect(page).toContain('```\ndo-deploy heal production\n```\n');
  });

  it('the summary page is appended to, and cannot be broken by the output of a container', () => {
    const { reporter } = inActions();
    const log = ['```', '<script>', '````'];
    const evidence = {
      ...OUT_OF_MEMORY,
      cause: 'a|b <b>',
      containers: [{ service: 'a', state: 'up', restarts: 0, log }],
    };
    const outcome = result('failed', { rows: [aRow(1, { name: 'a|b' })], evidence: [{ droplet: 'x', evidence }] });
    reporter.report(eventAt(0, { type: 'rollout-finished', result: result('succeeded') }));
    reporter.report(eventAt(0, { type: 'rollout-finished', result: outcome }));
    const page = readFileSync(summaryPath, 'utf8');
    expect(page.match(/^### .*/gm)).toEqual([
      '### Deployed v2 to 0 droplets in 24 s.',
      '### Deploy failed after 24 s.',
    ]);
    expect(page).toContain('| a&#124;b |');
    expect(page).toContain('<summary>x: a&#124;b &#60;b&#62;</summary>');
    expect(page).toContain('`````\n```\n<script>\n````\n`````\n');
  });

  it('a summary page that can’t be written does not matter', () => {
    const { reporter, stdout } = reporterOn({ github: { summaryPath: join(folder, 'no', 'such', 'folder') } });
    reporter.report(eventAt(0, started([aRow(1)])));
    reporter.report(eventAt(0, { type: 'rollout-finished', result: result('skipped') }));
    expect(stdout.text).toContain('Nothing to do: all 3 droplets already run v2.\n');
  });
});
