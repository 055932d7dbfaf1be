/** How much is told: --quiet, the default, --verbose, and the log of the run. */
import { describe, expect, it } from 'vitest';
import type { DeployEvent } from '../../src/rollout/model.js';
import { reporterOn } from '../support/reporter-on.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';

const SECRET = '5ecre7-of-a-command';
const AT = { schema: 2, at: '2026-11-21T07:45:02.000Z', type: 'trace' } as const;
const TRACES: DeployEvent[] = [
  { ...AT, kind: 'command', what: `ssh web-1: run ${SECRET}: exit code 0`, ms: 40, detail: `9 bytes in, ${SECRET}` },
  { ...AT, kind: 'ssh', what: `ssh web-1: connected to ${SECRET}`, ms: 50 },
  { ...AT, kind: 'http', what: `GET /v2/${SECRET} 200`, ms: 60, detail: 'request 7f0c' },
];

function told(options: Parameters<typeof reporterOn>[0]): { shown: string; recorded: string } {
  const { reporter, stdout } = reporterOn({ ...options, secrets: [SECRET] });
  let recorded = '';
  reporter.record((text) => {
    recorded += text;
  });
  for (const event of [...SAMPLE_EVENTS, ...TRACES]) reporter.report(event);
  return { shown: stdout.text, recorded };
}

describe('what is told', () => {
  it.each(['plain', 'terminal'] as const)('%s, quiet: warnings, failures and the end only', (mode) => {
    const quiet = told({ mode, level: 'quiet' }).shown;
    const usual = told({ mode: 'plain' }).shown;
    expect(quiet.length).toBeGreaterThan(0);
    expect(quiet.length).toBeLessThan(usual.length);
    for (const line of quiet.split('\n')) expect(usual).toContain(line);
    expect(quiet).not.toMatch(/^\S+ {2}(Staging|Rolling|Locking)/m);
    expect(quiet).toContain('\nNext: do-deploy heal production\n');
  });

  it('remote commands with --verbose; connections, requests and sizes with --debug', () => {
    expect(told({ mode: 'plain' }).shown).not.toContain('[secret]');
    const verbose = told({ mode: 'plain', level: 'verbose' }).shown;
    expect(verbose).toContain('ssh web-1: run [secret]: exit code 0 (40 ms)\n');
    expect(verbose).not.toMatch(/connected to|GET|bytes in/);
    const debug = told({ mode: 'plain', level: 'debug' }).shown;
    expect(debug).toContain('ssh web-1: run [secret]: exit code 0 (40 ms; 9 bytes in, [secret])\n');
    expect(debug).toContain('ssh web-1: connected to [secret] (50 ms)\n');
    expect(debug).toContain('GET /v2/[secret] 200 (60 ms; request 7f0c)\n');
  });

  it('as JSON, the same traces', () => {
    const kinds = (level: 'normal' | 'verbose' | 'debug') => {
      const events = told({ mode: 'json', level }).shown.trimEnd().split('\n');
      return events.map((line) => JSON.parse(line)).flatMap(({ type, kind }) => (type === 'trace' ? kind : []));
    };
    expect(kinds('normal')).toEqual([]);
    expect(kinds('verbose')).toEqual(['command', 'command']);
    expect(kinds('debug')).toEqual(['command', 'command', 'ssh', 'http']);
  });

  it('the log has everything in every mode, masked', () => {
    const debug = told({ mode: 'plain', level: 'debug' }).shown;
    for (const mode of ['plain', 'json', 'terminal'] as const) {
      const { recorded } = told({ mode, level: mode === 'plain' ? 'quiet' : 'normal' });
      expect(recorded).toContain('GET /v2/[secret] 200 (60 ms; request 7f0c)\n');
      expect(recorded).not.toContain(SECRET);
      expect(recorded).toBe(debug);
    }
  });
});
