import { beforeAll, describe, expect, it } from 'vitest';
import type { DeployEventBody, DeployResult } from '../../src/rollout/model.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, result, scriptedRollout, started, V2 } from '../support/scripted-events.js';

beforeAll(() => {
  process.env.TZ = 'UTC';
});

type Options = Parameters<typeof reporterOn>[0];

function linesOf(bodies: DeployEventBody[], options: Options = {}): string[] {
  const { reporter, stdout } = reporterOn(options);
  bodies.forEach((body, index) => {
    reporter.report(eventAt(index * 1_000, body));
  });
  return stdout.text.trimEnd().split('\n');
}

function textOf(script: ReturnType<typeof scriptedRollout>, options: Options = {}): string {
  const { reporter, stdout } = reporterOn(options);
  for (const event of script) reporter.report(event);
  return stdout.text;
}

const ending = (outcome: DeployResult) => linesOf([{ type: 'rollout-finished', result: outcome }]);

describe('plain lines', () => {
  it('mention a balancer only if there is one', () => {
    const settling = (rotation: 'in' | 'none') =>
      linesOf(
        [
          started([aRow(1, { rotation })]),
          { type: 'step-progress', droplet: 'web-1', step: 'settle', detail: '3 s to go' },
          { type: 'step-finished', droplet: 'web-1', step: 'settle', ms: 1_200 },
        ],
        { level: 'verbose' },
      ).map((line) => line.slice('07:45:03  web-1  '.length));
    expect(settling('in').slice(1)).toEqual(['settling in rotation: 3 s to go', 'settled in rotation (1.2 s)']);
    expect(settling('none').slice(1)).toEqual([
      'watching the containers: 3 s to go',
      'containers kept running (1.2 s)',
    ]);
    const error = {
      code: 'health-lost',
      message: 'It fell.',
      source: 'external',
      droplet: 'web-1',
      step: 'settle',
    } as const;
    expect(ending(result('failed', { rows: [aRow(1, { rotation: 'none' })], error })).join('\n')).toContain(
      'Deploy failed on web-1 while watching the containers: It fell.',
    );
  });

  it('say what is waited for between batches, and what has failed then', () => {
    const error = { code: 'gate-failed', message: 'Gate errors failed: exit code 1.', source: 'external' } as const;
    const lines = linesOf([
      started([aRow(1)]),
      { type: 'rest-started', rest: 'pause', ms: 120_000 },
      { type: 'rest-finished', rest: 'pause', ms: 120_000 },
      { type: 'rest-started', rest: 'bake', ms: 600_000 },
      { type: 'watch-failed', error },
    ]);
    expect(lines.slice(1)).toEqual([
      '07:45:01  Pausing for 2 min before the next batch',
      '07:45:03  The last batch is done: watching the release for 10 min (bake)',
      '07:45:04  Gate errors failed: exit code 1.',
    ]);
  });

  it('are one for each phase of a droplet, and end with the table and one sentence', () => {
    const text = textOf(scriptedRollout(2));
    expect(text.slice(0, text.indexOf('\n\n'))).toBe(`07:45:00  Finding the fleet
07:45:00  Deploying shop v2 to production: 2 droplets, load balancer "web" (203.0.113.200), release ${V2}
07:45:00  Locking the fleet
07:45:00  Staging the release on every droplet
07:45:03  web-1  pulled images: 2 images (0.9 s)
07:45:03  web-2  pulled images: 2 images (0.9 s)
07:45:03  Rolling out
07:45:03  Batch 1: web-1 (1 droplet after this)
07:45:06  web-1  draining (out of rotation)
07:45:07  web-1  starting release ${V2}
07:45:10  web-1  healthy after 3.6 s
07:45:14  web-1  back in rotation (11 s)
07:45:14  Batch 2: web-2 (the last batch)
07:45:16  web-2  draining (out of rotation)
07:45:18  web-2  starting release ${V2}
07:45:21  web-2  healthy after 3.6 s
07:45:25  web-2  back in rotation (11 s)
07:45:25  Cleaning up`);
    expect(text.slice(text.indexOf('\n\n'))).toBe(`

DROPLET  ADDRESS      ROTATION  RELEASE              HEALTH   RESULT
web-1    203.0.113.1  in        ${V2}  healthy  deployed
web-2    203.0.113.2  in        ${V2}  healthy  deployed

Deployed v2 to 2 droplets in 25 s.
`);
  });

  it.each([
    ['deploy', `starting release ${V2}`],
    ['restart', 'starting containers'],
    ['stop', 'starting containers'],
  ] as const)('name the release only where one is deployed: %s', (command, text) => {
    const lines = linesOf([
      started([aRow(1)], command),
      { type: 'step-started', droplet: 'web-1', step: 'switch', release: V2 },
    ]);
    expect(lines[1]?.slice('07:45:03  web-1  '.length)).toBe(text);
  });

  it('report each step with its time with --verbose', () => {
    const text = textOf(scriptedRollout(2), { level: 'verbose' });
    expect(text).toContain('07:45:06  web-1  left the balancer (1.2 s)\n');
    expect(text).toContain('07:45:10  web-1  passed the balancer check: HTTP 200 in 12 ms (1.2 s)\n');
    expect(text).not.toContain('healthy after');
  });

  it('end a failure with its cause, evidence, the state of the fleet, a hint and the next command', () => {
    const text = textOf(scriptedRollout(3, 2));
    expect(text).toContain(
      '  web-2  failed after 1.2 s while waiting for healthy containers: app exited 137: out of memory\n',
    );
    expect(text).toContain(
      `
web-2: container output
  app: exited with code 137, out of memory, restarted 3 times
  health check output of app:
  │ curl: (7) Failed to connect to localhost port 8080
  last log lines of app:
  │ Starting shop v2
  │ Heap is 512 MB
  │ Killed
  nginx: running, healthy
  disk: 92% of Docker's disk used when the deploy began

DROPLET `,
    );
    expect(text.slice(text.indexOf('Deploy failed on'))).toBe(
      `Deploy failed on web-2 while waiting for healthy containers: app exited 137: out of memory

1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.
Give app more memory, or the droplet.
Next: do-deploy heal production
`,
    );
  });

  it('include bookkeeping, starts of steps and traces only with --verbose', () => {
    const script: DeployEventBody[] = [
      { type: 'step-started', droplet: 'web-1', step: 'mark-out' },
      { type: 'trace', kind: 'command', what: 'web-1: survey', ms: 41 },
      { type: 'step-finished', droplet: 'web-1', step: 'mark-out', ms: 300 },
    ];
    expect(linesOf(script)).toEqual(['']);
    expect(linesOf(script, { level: 'verbose' })).toEqual([
      '07:45:00  web-1  marking it out',
      '07:45:01  web-1: survey (41 ms)',
      '07:45:02  web-1  marked it out (0.3 s)',
    ]);
  });

  it('report the progress of a step with --verbose', () => {
    const at = { droplet: 'web-1', step: 'drain' } as const;
    const progress: DeployEventBody[] = [{ type: 'step-started', ...at }];
    for (let left = 25; left > 0; left -= 1)
      progress.push({ type: 'step-progress', ...at, detail: `${left} connections` });
    expect(linesOf(progress)).toEqual(['07:45:00  web-1  draining']);
    expect(linesOf(progress, { level: 'verbose' })).toHaveLength(26);
  });

  it('keep the lines of a message together, below the name of the droplet', () => {
    const error = { code: 'x', message: 'compose said:\nno such service', source: 'external' } as const;
    expect(
      linesOf([started([aRow(1)]), { type: 'step-failed', droplet: 'web-1', step: 'switch', ms: 0, error }]),
    ).toEqual([
      expect.stringContaining('Deploying shop v2 to production: 1 droplet, load balancer "web"'),
      '07:45:01  web-1  failed after 0 ms while starting containers: compose said:',
      '                 no such service',
    ]);
  });

  it('cannot be taken over by the log of a container', () => {
    const evidence = {
      cause: 'app exited 1',
      containers: [
        { service: 'app', state: 'exited', exitCode: 1, restarts: 0, log: ['\x1b[2J\x1b]0;owned\x07a\rb\tc'] },
      ],
    };
    const lines = ending(result('failed', { evidence: [{ droplet: 'web-1', evidence }] }));
    expect(lines).toContain('  │ ab  c');
  });
});

describe('the last sentence', () => {
  const mixed = [aRow(1, { outcome: 'deployed' }), aRow(2, { outcome: 'up to date' })];
  const asRun = (command: 'rollback' | 'heal' | 'adopt', outcome: DeployResult) =>
    linesOf([started([aRow(1)], command), { type: 'rollout-finished', result: outcome }]);

  it('counts what was deployed and what was up to date', () => {
    expect(ending(result('succeeded', { rows: mixed })).at(-1)).toBe(
      'Deployed v2 to 1 droplet in 24 s. 1 droplet already up to date.',
    );
  });

  it('is followed by the next command if droplets have joined meanwhile', () => {
    const joined = result('succeeded', { rows: mixed, next: 'do-deploy adopt production' });
    expect(ending(joined).at(-1)).toBe('Next: do-deploy adopt production');
  });

  it('reports that there was nothing to do', () => {
    expect(ending(result('skipped')).at(-1)).toBe('Nothing to do: all 3 droplets already run v2.');
    expect(ending(result('skipped', { rows: [aRow(1)] })).at(-1)).toBe('Nothing to do: the droplet already runs v2.');
  });

  it('reports the state after an interruption, and the next command', () => {
    const lines = ending(result('interrupted', { next: 'do-deploy production v2' }));
    expect(lines.slice(-4)).toEqual([
      'Interrupted after 24 s.',
      '',
      'All 3 droplets are in rotation.',
      'Next: do-deploy production v2',
    ]);
  });

  it('names both ways on when two releases remain, after an interruption and after heal', () => {
    const ways = { forward: 'do-deploy production v2', back: 'do-deploy rollback production R1' };
    const both = ['To continue: do-deploy production v2', 'To go back: do-deploy rollback production R1'];
    expect(ending(result('interrupted', { next: ways.forward, ways })).slice(-3)).toEqual([
      'All 3 droplets are in rotation.',
      ...both,
    ]);
    const stranded = ending(result('interrupted', { next: 'do-deploy heal production', ways }));
    expect(stranded.slice(-3)).toEqual(['Next: do-deploy heal production', ...both]);
    expect(asRun('heal', result('skipped', { ways })).slice(-2)).toEqual(both);
  });

  it('begins a rollback without naming a release that is not known yet', () => {
    const begin = (imageTag: string) =>
      linesOf([{ ...started([aRow(1)], 'rollback'), release: { id: '', imageTag } }])[0]?.slice(10);
    expect(begin('')).toBe('Rolling shop on production back: 1 droplet, load balancer "web" (203.0.113.200)');
    expect(begin('v1')).toMatch(/^Rolling shop on production back to v1: 1 droplet,/);
  });

  it('names rollback, heal and adopt as such', () => {
    const rows = [aRow(1, { outcome: 'deployed' })];
    expect(asRun('rollback', result('succeeded', { rows })).at(-1)).toBe('Rolled 1 droplet back to v2 in 24 s.');
    expect(asRun('heal', result('succeeded', { rows })).at(-1)).toBe('Healed in 24 s. All 3 droplets are in rotation.');
    expect(asRun('heal', result('skipped')).at(-1)).toBe('Nothing to heal. All 3 droplets are in rotation.');
    expect(asRun('adopt', result('succeeded', { rows })).at(-1)).toBe('Adopted 1 droplet with v2 in 24 s.');
    expect(asRun('adopt', result('skipped')).at(-1)).toBe('Nothing to adopt. All 3 droplets are in rotation.');
    expect(asRun('heal', result('failed', { rows })).join('\n')).toContain('\nHeal failed after 24 s.\n');
  });

  it('names a command that failed before any droplet was known', () => {
    const outcome = result('failed', { rows: [], summary: 'Nothing was changed in rotation.' });
    const fail = (ran: { command: 'restart' | 'rollback' | 'deploy'; ends?: 'abort' | 'promote' }) =>
      linesOf([{ type: 'rollout-finished', ...ran, result: outcome }])[1];
    expect(fail({ command: 'restart' })).toBe('Restart failed after 24 s.');
    expect(fail({ command: 'rollback', ends: 'abort' })).toBe('Abort failed after 24 s.');
    expect(fail({ command: 'deploy', ends: 'promote' })).toBe('Promotion failed after 24 s.');
  });

  it('begins the end of a canary by its own name', () => {
    const begin = (ends: 'promote' | 'abort') =>
      linesOf([{ ...started([aRow(1)], ends === 'promote' ? 'deploy' : 'rollback'), ends }])[0]?.slice(10);
    expect(begin('promote')).toMatch(/^Promoting the canary of shop on production: /);
    expect(begin('abort')).toMatch(/^Taking back the canary of shop on production: /);
  });

  it('reports a failure before any droplet was known without an empty table', () => {
    const error = { code: 'balancer-not-found', message: 'There is no load balancer "web".', source: 'user' } as const;
    expect(ending(result('failed', { rows: [], error, summary: 'Nothing was changed in rotation.' }))).toEqual([
      '',
      'Deploy failed: There is no load balancer "web".',
      '',
      'Nothing was changed in rotation.',
    ]);
  });

  it('adds what the table has no room for, but not what is printed below', () => {
    const error = {
      code: 'balancer-check-failed',
      message: 'HTTP 503.',
      source: 'external',
      droplet: 'web-1',
    } as const;
    const rows = [
      aRow(1, { detail: 'HTTP 503.', outSince: '2026-11-21T07:45:00Z by ana' }),
      aRow(2, { detail: 'no disk space' }),
    ];
    const lines = ending(result('failed', { rows, error }));
    expect(lines.filter((line) => line.startsWith('  web-'))).toEqual([
      '  web-1: recorded as out since 2026-11-21T07:45:00Z by ana, but still in rotation',
      '  web-2: no disk space',
    ]);
  });
});
