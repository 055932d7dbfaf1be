/** The files that a failed run leaves. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openLogFile } from '../../src/cli/log-file.js';
import { RunRecords } from '../../src/cli/run-records.js';
import type { DeployEvent } from '../../src/rollout/model.js';
import { eventAt, result, scriptedRollout, V2 } from '../support/scripted-events.js';

function logIn(): ReturnType<typeof openLogFile> {
  const folder = mkdtempSync(join(tmpdir(), 'do-deploy-records-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return openLogFile(folder, { command: 'deploy', environment: 'production', now: 0, pid: 7 });
}

function recordsOf(events: readonly DeployEvent[], log = logIn()) {
  const records = new RunRecords(log);
  for (const event of events) records.report(event);
  return { log, records };
}

it('are in a folder that only its owner can read: a summary, the events, and the evidence of each sick droplet', async () => {
  const events = scriptedRollout(3, 2);
  const { log, records } = recordsOf(events);
  records.report(eventAt(0, { type: 'trace', kind: 'command', what: 'ssh web-1: survey', ms: 4 }));
  expect(await records.end(1)).toEqual([
    `What is known about the failure: ${log.dossier}`,
    `The log of this run: ${log.path}`,
  ]);
  expect(statSync(log.dossier).mode & 0o777).toBe(0o700);
  const names = readdirSync(log.dossier).sort();
  expect(names).toEqual(['events.ndjson', 'summary.txt', 'web-2.evidence.txt']);
  for (const name of names) expect(statSync(join(log.dossier, name)).mode & 0o777).toBe(0o600);
  const read = (name: string) => readFileSync(join(log.dossier, name), 'utf8');
  expect(read('events.ndjson').trimEnd().split('\n')).toEqual(events.map((event) => JSON.stringify(event)));
  expect(read('summary.txt')).toMatchInlineSnapshot(`
    "Deploy failed on web-2 while waiting for healthy containers: app exited 137: out of memory
    1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.
    Give app more memory, or the droplet.

    DROPLET  ADDRESS      ROTATION  RELEASE              HEALTH       RESULT
    web-1    203.0.113.1  in        20261121T074500Z-v2  healthy      deployed
    web-2    203.0.113.2  out       20261121T074500Z-v2  not healthy  deploy failed
    web-3    203.0.113.3  in        20261120T074500Z-v1  healthy      not deployed

    Next: do-deploy heal production

    Deploying shop v2 to production: 3 droplets, load balancer "web" (203.0.113.200), release 20261121T074500Z-v2
    2026-11-21 07:45:00 UTC to 2026-11-21 07:45:20 UTC

    web-2.evidence.txt: what was collected from this droplet
    events.ndjson: the events of the run, as --json writes them
    "
  `);
  expect(read('web-2.evidence.txt')).toMatchInlineSnapshot(`
    "web-2: app exited 137: out of memory
      app: exited with code 137, out of memory, restarted 3 times
      health check output of app:
      │ curl: (7) Failed to connect to localhost port 8080
      last log lines of app:
      │ Starting shop v2
      │ Heap is 512 MB
      │ Killed
      nginx: running, healthy
      droplet: 92% of Docker's disk used, 1.8 GB free, when the deploy began
      droplet: 212 MB of 1.9 GB of memory available
    "
  `);
});

it('are not left by a run that is well, that was interrupted, or that found the fleet locked', async () => {
  const error = { code: 'lease-held', message: 'Another deploy is running.', source: 'external' } as const;
  for (const [ended, exit] of [
    [result('succeeded'), 0],
    [result('interrupted'), 130],
    [result('failed', { error }), 3],
  ] as const) {
    const { log, records } = recordsOf([eventAt(0, { type: 'rollout-finished', result: ended })]);
    expect(await records.end(exit)).toEqual(exit === 0 ? [] : [`The log of this run: ${log.path}`]);
    expect(readdirSync(join(log.path, '..')).sort()).toEqual(
      [log.path, log.eventsPath].map((path) => path.split('/').at(-1)),
    );
  }
});

it('do not lead out of the folder, whatever a droplet is called, and are bounded', async () => {
  const names = ['../../web', '..', 'web/1', 'web_1', 'summary', ...Array.from({ length: 30 }, (_, n) => `x-${n}`)];
  const log = Array.from({ length: 50 }, () => 'y'.repeat(40_000));
  const container = { service: 'app', state: 'exited', restarts: 0, log };
  const evidence = names.map((droplet) => ({ droplet, evidence: { cause: 'app exited 1', containers: [container] } }));
  const { records, log: file } = recordsOf([
    eventAt(0, {
      type: 'rollout-finished',
      result: result('failed', { evidence, release: { id: V2, imageTag: 'v2' } }),
    }),
  ]);
  await records.end(1);
  const left = readdirSync(file.dossier).sort();
  expect(left).toHaveLength(22);
  expect(left).toEqual(
    expect.arrayContaining(['_.._web.evidence.txt', 'droplet.evidence.txt', 'summary.evidence.txt']),
  );
  expect(left).toEqual(expect.arrayContaining(['web_1.evidence.txt', 'web_1-2.evidence.txt']));
  const { size } = statSync(join(file.dossier, 'web_1.evidence.txt'));
  expect(size).toBeLessThan(1_000_100);
});

it('cannot make the run end otherwise', async () => {
  const { log, records } = recordsOf(scriptedRollout(2, 1));
  mkdirSync(log.dossier);
  expect(await records.end(1)).toEqual([
    expect.stringContaining('No folder about the failure is left: EEXIST'),
    `The log of this run: ${log.path}`,
  ]);
});
