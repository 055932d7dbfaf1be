/** How much is told: --quiet, the default, --verbose, and the log of the run. */
import { describe, expect, it } from 'vitest';
import type { DeployEvent } from '../../src/rollout/model.js';
import { reporterOn } from '../support/reporter-on.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';

const SECRET = '5ecre7-of-a-command';
const TRACE: DeployEvent = { schema: 2, at: '2026-11-21T07:45:02.000Z', type: 'trace', what: `ssh ${SECRET}`, ms: 40 };

function told(options: Parameters<typeof reporterOn>[0]): { shown: string; recorded: string } {
  const { reporter, stdout } = reporterOn({ ...options, secrets: [SECRET] });
  let recorded = '';
  reporter.record((text) => {
    recorded += text;
  });
  for (const event of [...SAMPLE_EVENTS, TRACE]) reporter.report(event);
  return { shown: stdout.text, recorded };
}

describe('what is told', () => {
  it.each(['plain', 'terminal'] as const)('%s, quiet: warnings, failures and the end only', (mode) => {
    const quiet = told({ mode, quiet: true }).shown;
    const usual = told({ mode: 'plain' }).shown;
    expect(quiet.length).toBeGreaterThan(0);
    expect(quiet.length).toBeLessThan(usual.length);
    for (const line of quiet.split('\n')) expect(usual).toContain(line);
    expect(quiet).not.toMatch(/^\S+ {2}(Staging|Rolling|Locking)/m);
    expect(quiet).toContain('\nNext: do-deploy heal production\n');
  });

  it('remote commands only with --verbose; quiet beside it does nothing', () => {
    expect(told({ mode: 'plain' }).shown).not.toContain('ssh [secret]');
    expect(told({ mode: 'json' }).shown).not.toContain('"trace"');
    expect(told({ mode: 'json', verbose: true }).shown).toContain('"trace"');
    expect(told({ mode: 'plain', verbose: true }).shown).toContain('ssh [secret] (40 ms)');
    expect(told({ mode: 'plain', verbose: true, quiet: true }).shown).toBe(
      told({ mode: 'plain', verbose: true }).shown,
    );
  });

  it('the log has everything in every mode, masked', () => {
    const verbose = told({ mode: 'plain', verbose: true }).shown;
    for (const mode of ['plain', 'json', 'terminal'] as const) {
      const { recorded } = told({ mode, quiet: mode === 'plain' });
      expect(recorded).toContain('ssh [secret] (40 ms)');
      expect(recorded).not.toContain(SECRET);
      expect(recorded.split('\n').length).toBe(verbose.split('\n').length);
    }
  });
});

it('a step that takes long is said to go on', () => {
  const { reporter, stdout } = reporterOn();
  const step = { schema: 2, droplet: 'web-3', step: 'pull' } as const;
  reporter.report({ ...step, at: '2026-11-21T07:45:00.000Z', type: 'step-started' });
  reporter.report({ ...step, at: '2026-11-21T07:45:30.000Z', type: 'step-progress', detail: '30 s so far' });
  expect(stdout.text).toMatch(/^\d\d:45:30 {2}web-3 {2}still pulling images \(30 s\)\n$/);
});
