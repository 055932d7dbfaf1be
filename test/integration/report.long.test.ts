/** Reports of rollouts on the sandbox: while they run, and afterwards from what is left of them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SandboxFleet } from './sandbox-fleet.js';

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

const file = (name: string) => join(fleet.folder, name);
const read = (name: string) => readFileSync(file(name), 'utf8');

it('one run after the other: a success, a failure, an interruption, and from the history', async () => {
  const probe = `rollout.probe.url=${fleet.region.balancerUrl}`;
  const good = await fleet.run(['sandbox', 'v2', '--yes', '--force', '--set', probe, '--report', 'good.html']);
  expect([good.code, good.stderr]).toEqual([0, `The report: ${file('good.html')}\n`]);
  expect(read('good.html')).toContain('>succeeded</span>Deployed v2 to 3 droplets in ');
  expect(read('good.html').match(/<svg role="img"/g)?.length).toBe(5);
  expect(read('good.html')).toMatch(/<desc id="probe-d">\d+ requests, 0 failed, slowest answer \d+ ms\.<\/desc>/);
  expect(read('good.html')).toContain('At the fewest 2 of 3 droplets were in rotation; the floor was 2.');

  const failed = await fleet.run(['sandbox', 'broken', '--yes', '--report', 'failed.html']);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(
    /What is known about the failure: .*\nThe report: .*failed\.html\nThe log of this run: /,
  );
  expect(read('failed.html')).toContain('<h2>Evidence of the failure</h2>');
  for (const name of ['good.html', 'failed.html']) {
    expect(read(name)).not.toContain('not-a-secret-in-the-sandbox');
    expect(read(name)).not.toContain(fleet.region.api.token);
  }

  const run = fleet.start(['sandbox', 'v1', '--yes', '--force', '--json', '--report', 'good.html']);
  run.onEvent((event) => {
    if (event.type === 'step-started' && event.step === 'drain') run.child.kill('SIGINT');
  });
  expect((await run.ended).code).toBe(130);
  expect(read('good.html'), 'it replaces an older report').toContain('>interrupted</span>');

  const past = await fleet.run(['report', 'sandbox', 'v2']);
  expect([past.code, past.stdout]).toEqual([0, `The report: ${file('report-sandbox.html')}\n`]);
  expect(read('report-sandbox.html')).toContain('>succeeded</span>Deployed v2 to 3 droplets in ');
  expect((await fleet.run(['report', 'sandbox', '--output', 'last.html'])).code).toBe(0);
  expect(read('last.html')).toContain('>interrupted</span>');

  const elsewhere = await fleet.run(['report', 'sandbox', 'broken', '--output', 'last.html', '--log-dir', 'none']);
  expect(elsewhere.code).toBe(0);
  expect(elsewhere.stderr).toContain('This run was made on another machine, or its files on this one are gone.');
  expect(read('last.html')).toContain('<p class="note">This run was made on another machine');
  expect(read('last.html')).not.toContain('<svg');
});

it('of a run that was killed is made from its events alone', async () => {
  const run = fleet.start([
    'sandbox',
    'v1',
    '--yes',
    '--force',
    '--json',
    '--log-dir',
    'killed',
    '--report',
    'killed.html',
  ]);
  run.onEvent((event) => {
    if (event.type === 'step-started' && event.step === 'switch') run.child.kill('SIGKILL');
  });
  await run.ended;
  expect(existsSync(file('killed.html'))).toBe(false);
  expect((await fleet.run(['report', 'sandbox', '--log-dir', 'killed'])).code).toBe(0);
  expect(read('report-sandbox.html')).toContain('>no end</span>');
  await fleet.run(['heal', 'sandbox', '--yes']);
});

it('never replaces a file that is something else, and then nothing is deployed', async () => {
  writeFileSync(file('mine.html'), '<p>mine</p>');
  for (const args of [
    ['sandbox', 'v2', '--yes', '--report', 'mine.html'],
    ['report', 'sandbox', '--output', 'mine.html'],
  ]) {
    const end = await fleet.run(args);
    expect([end.code, end.stderr]).toEqual([
      2,
      expect.stringContaining(`No report can be written to ${file('mine.html')}: it is not a report of do-deploy.`),
    ]);
  }
  expect((await fleet.run(['sandbox', 'v2', '--yes', '--report', 'no/folder.html'])).code).toBe(2);
  expect(read('mine.html')).toBe('<p>mine</p>');
  expect(readdirSync(fleet.folder).filter((name) => name.includes('partial'))).toEqual([]);
});

it('of an unknown run is refused, with the command that lists the runs', async () => {
  const unknown = await fleet.run(['report', 'sandbox', 'v77', '--output', 'unknown.html']);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringMatching(/knows a run v77\.[\s\S]*do-deploy history sandbox/),
  ]);
  expect(existsSync(file('unknown.html'))).toBe(false);
});
