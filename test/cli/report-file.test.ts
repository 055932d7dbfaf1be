import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { eventsOf, localRuns } from '../../src/cli/local-runs.js';
import { openLogFile } from '../../src/cli/log-file.js';
import { ReportFile } from '../../src/cli/report-file.js';
import { RunRecords } from '../../src/cli/run-records.js';
import { scriptedRollout } from '../support/scripted-events.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'do-deploy-report-file-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

const read = (name: string) => readFileSync(join(folder, name), 'utf8');

function write(name: string, droplets: number): void {
  const report = new ReportFile(join(folder, name));
  for (const event of scriptedRollout(droplets)) report.report(event);
  report.write();
}

it('a report is written in one piece, and replaces an older one or an empty file', () => {
  writeFileSync(join(folder, 'report.html'), '');
  write('report.html', 2);
  expect(read('report.html')).toContain('Deployed v2 to 2 droplets');
  write('report.html', 3);
  expect(read('report.html')).toContain('Deployed v2 to 3 droplets');
  expect(readdirSync(folder)).toEqual(['report.html']);
});

it('through a link, the file that it leads to is replaced', () => {
  write('real.html', 2);
  symlinkSync(join(folder, 'real.html'), join(folder, 'link.html'));
  write('link.html', 3);
  expect(read('real.html')).toContain('Deployed v2 to 3 droplets');
});

it.each([
  ['a file that is something else', 'mine.html', 'it is not a report of do-deploy'],
  ['a page with the mark in its text', 'late.html', 'it is not a report of do-deploy'],
  ['a folder', 'folder', 'it is not a file'],
  ['a file in a folder that is missing', 'none/report.html', 'there is no folder '],
  ['a file below a file', 'mine.html/report.html', 'not a folder'],
])('%s is refused before anything happens', (_, name, why) => {
  writeFileSync(join(folder, 'mine.html'), '<!doctype html><p>mine</p>');
  writeFileSync(join(folder, 'late.html'), `${' '.repeat(2_000)}<meta name="generator" content="do-deploy report">`);
  mkdirSync(join(folder, 'folder'));
  expect(() => new ReportFile(join(folder, name))).toThrow(
    expect.objectContaining({ code: 'report-file', source: 'user', message: expect.stringContaining(why) }),
  );
});

it('a report that cannot be written in the end is only a line for the user', async () => {
  mkdirSync(join(folder, 'gone'));
  const records = new RunRecords(undefined, new ReportFile(join(folder, 'gone/report.html')));
  for (const event of scriptedRollout(2)) records.report(event);
  rmSync(join(folder, 'gone'), { recursive: true });
  expect(await records.end(0)).toEqual([
    expect.stringMatching(/^The report cannot be written to .*report\.html: ENOENT/),
  ]);
});

it('of a run that has not begun, none is written', async () => {
  const records = new RunRecords(undefined, new ReportFile(join(folder, 'report.html')));
  expect(await records.end(2)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

it('the runs of this machine are those of the app and the environment, failed and killed ones included', async () => {
  const run = async (now: number, events: ReturnType<typeof scriptedRollout>, app = 'shop') => {
    const log = openLogFile(folder, { command: 'deploy', environment: 'production', now, pid: 7 });
    const records = new RunRecords(log);
    for (const event of events) records.report(event.type === 'rollout-started' ? { ...event, app } : event);
    await records.end(1);
    return log;
  };
  await run(0, scriptedRollout(2));
  const failed = await run(1_000, scriptedRollout(2, 1));
  const killed = await run(2_000, scriptedRollout(2).slice(0, 20));
  await run(3_000, scriptedRollout(2), 'blog');
  writeFileSync(killed.eventsPath, `${readFileSync(killed.eventsPath, 'utf8')}{"schema":2,"at":"2026`, { flag: 'w' });

  const runs = localRuns(folder, 'shop', 'production');
  expect(runs.map(({ finished }) => finished?.result.outcome)).toEqual([undefined, 'failed', 'succeeded']);
  expect(runs[0] && eventsOf(runs[0])).toEqual(scriptedRollout(2).slice(0, 20));
  expect(runs[1]?.path).toBe(join(failed.dossier, 'events.ndjson'));
  expect(runs[1] && eventsOf(runs[1])).toEqual(scriptedRollout(2, 1));
  expect(localRuns(join(folder, 'none'), 'shop', 'production')).toEqual([]);
});
