import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/problems.js';
import { DeployError, type ErrorInfo } from '../../src/errors.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, OUT_OF_MEMORY, result, scriptedRollout, started, V1, V2 } from '../support/scripted-events.js';

let folder: string;
let summaryPath: string;
let outputPath: string;

const CONTAINER = { service: 'app', state: 'exited', restarts: 0 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'do-deploy-github-'));
  summaryPath = join(folder, 'summary.md');
  outputPath = join(folder, 'output');
});

afterEach(() => rmSync(folder, { recursive: true }));

function inActions(secrets: string[] = []) {
  return reporterOn({ mode: 'terminal', github: { summaryPath, outputPath }, secrets });
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

  it('each problem of the configuration is an annotation at its line', () => {
    const { reporter, stdout } = reporterOn({
      mode: 'plain',
      github: { summaryPath, outputPath, folder: 'services/api' },
      secrets: ['hunter22'],
    });
    const problems = [
      { place: 'config/deploy.yml:12', message: 'app must be a name: hunter22', remedy: 'write `app: shop`' },
      { place: 'config/hooks/a,b', message: 'is not executable\n::x', remedy: 'run `chmod`' },
      { place: 'DOCKER_PASSWORD', message: 'is not set', remedy: '' },
    ];
    reporter.printError(new ConfigError('config/deploy.yml', problems));
    expect(stdout.text.match(/^::.*$/gm)).toEqual([
      '::error title=do-deploy,file=services/api/config/deploy.yml,line=12::app must be a name: [secret]; write `app: shop`',
      '::error title=do-deploy,file=services/api/config/hooks/a%2Cb::is not executable%0A::x; run `chmod`',
      '::error title=do-deploy::DOCKER_PASSWORD: is not set',
    ]);
  });

  it('of many problems, as many are annotations as GitHub shows', () => {
    const { reporter, stdout } = inActions();
    const problems = Array.from({ length: 15 }, (_, n) => ({ place: `a.yml:${n}`, message: 'x', remedy: 'y' }));
    reporter.printError(new ConfigError('a.yml', problems));
    const lines = stdout.text.match(/^::.*$/gm) ?? [];
    expect(lines).toHaveLength(10);
    expect(lines[9]).toBe('::error title=do-deploy::6 more problems: the log lists them.');
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

  it('the summary page names the app, the environment, the balancer and the releases', () => {
    const { reporter } = inActions();
    for (const event of scriptedRollout(2)) reporter.report(event);
    const page = readFileSync(summaryPath, 'utf8');
    expect(page).toContain('\nshop on production, load balancer "web" (203.0.113.200)\n');
    expect(page).toContain(`\nRelease: ${V1} → ${V2}\n`);
  });

  it('the summary page says what to do, and why droplets other than the first one failed', () => {
    const { reporter } = inActions();
    const error = { code: 'x', message: 'It broke.', source: 'external', hint: 'Free *disk* space.', droplet: 'web-1' };
    const rows = [aRow(1, { detail: 'It broke.' }), aRow(2, { outcome: 'deploy failed', detail: 'disk\nfull' })];
    const outcome = result('failed', { rows, error: error as ErrorInfo });
    reporter.report(eventAt(0, { type: 'rollout-finished', result: outcome }));
    const page = readFileSync(summaryPath, 'utf8');
    expect(page).toContain('\nFree &#42;disk&#42; space.\n');
    expect(page.match(/^- .*$/gm)).toEqual(['- web-2: disk     full']);
  });

  it('the summary page turns no text into a link, and holds evidence while there is room', () => {
    const { reporter } = inActions();
    const log = ['x'.repeat(120_000)];
    const evidence = (n: number) => ({
      droplet: `web-${n}`,
      evidence: { cause: 'see https://evil.example or www.evil.example', containers: [{ ...CONTAINER, log }] },
    });
    const outcome = result('failed', { evidence: [1, 2, 3].map(evidence) });
    reporter.report(eventAt(0, { type: 'rollout-finished', result: outcome }));
    const page = readFileSync(summaryPath, 'utf8');
    expect(page).not.toMatch(/:\/\/|www\./);
    expect(page.match(/^<summary>.*/gm)).toEqual([expect.stringContaining('web-1')]);
    expect(page).toMatch(/<\/details>\n\nThe log of this step has more\.\n\n$/);
  });

  it('the summary page has what status prints, and an error', () => {
    const { reporter } = inActions(['hunter22']);
    reporter.print({ type: 'status', heading: 'shop: *production*', rows: [aRow(1)] });
    reporter.print({ type: 'text', lines: ['not this'] });
    reporter.printError(new DeployError('x', 'It broke: hunter22.', { hint: '``` ends nothing' }));
    expect(readFileSync(summaryPath, 'utf8').split('\n')).toEqual([
      '### shop: &#42;production&#42;',
      '',
      '```',
      expect.stringMatching(/^DROPLET +ADDRESS/),
      expect.stringMatching(/^web-1 +203/),
      '```',
      '',
      '### do-deploy failed',
      '',
      '````',
      'error: It broke: [secret].',
      '  try: ``` ends nothing',
      '````',
      '',
      '',
    ]);
  });

  it('the summary page and the outputs are written with --json, too, and standard output stays JSON', () => {
    const { reporter, stdout } = reporterOn({ mode: 'json', github: { summaryPath, outputPath } });
    for (const event of scriptedRollout(2)) reporter.report(event);
    reporter.printError(new DeployError('x', 'It broke.'));
    for (const line of stdout.text.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('type');
    expect(readFileSync(summaryPath, 'utf8')).toContain('| web-1 |');
    expect(readFileSync(outputPath, 'utf8')).toMatch(/^outcome=succeeded\n/);
  });

  describe('a step has outputs', () => {
    const outputs = () => readFileSync(outputPath, 'utf8').split('\n').filter(Boolean);

    it('of a deploy', () => {
      const { reporter } = inActions();
      for (const event of scriptedRollout(2)) reporter.report(event);
      expect(outputs()).toEqual([
        'outcome=succeeded',
        `release=${V2}`,
        expect.stringMatching(/^summary=Deployed v2 to 2 droplets in [\d.]+ s\.$/),
      ]);
    });

    it('of one that failed: why, in one line, however it was written', () => {
      const { reporter } = inActions();
      const error = { code: 'x', message: 'It broke:\nrelease=evil\r\n::x', source: 'external' } as ErrorInfo;
      reporter.report(eventAt(0, started([aRow(1)])));
      reporter.report(eventAt(0, { type: 'rollout-finished', result: result('failed', { error, summary: 'a\nb' }) }));
      expect(outputs()).toEqual([
        'outcome=failed',
        `release=${V2}`,
        'summary=Deploy failed: It broke: release=evil ::x a b',
      ]);
    });

    it('of a run that never began', () => {
      const { reporter } = inActions(['hunter22']);
      reporter.printError(new DeployError('x', 'It broke: hunter22.', { hint: 'Fix it.' }));
      expect(outputs()).toEqual(['outcome=failed', 'summary=error: It broke: [secret].']);
    });
  });

  it('a summary page that can’t be written does not matter', () => {
    const { reporter, stdout } = reporterOn({ github: { summaryPath: join(folder, 'no', 'such', 'folder') } });
    reporter.report(eventAt(0, started([aRow(1)])));
    reporter.report(eventAt(0, { type: 'rollout-finished', result: result('skipped') }));
    expect(stdout.text).toContain('Nothing to do: all 3 droplets already run v2.\n');
  });
});
