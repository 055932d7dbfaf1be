import { describe, expect, it } from 'vitest';
import { reporterOn } from '../support/reporter-on.js';
import { SAMPLE_OUTPUTS } from '../support/sample-outputs.js';

const HOLDER = { run: 'a', who: 'ann@laptop', release: '20261121T074500Z-v2', since: '2026-11-21T07:45:00Z' };

function printed(...outputs: Parameters<ReturnType<typeof reporterOn>['reporter']['print']>[0][]): string {
  const { reporter, stdout } = reporterOn();
  for (const output of outputs) reporter.print(output);
  return stdout.text;
}

describe('the line of a lock', () => {
  it.each([
    [{ droplet: 'web-1', state: 'free' as const }, 'web-1: free'],
    [
      { droplet: 'web-1', state: 'unknown' as const, detail: 'connection refused' },
      'web-1: unknown: connection refused',
    ],
    [
      { droplet: 'web-1', state: 'held' as const, holder: HOLDER },
      'web-1: held: ann@laptop, release 20261121T074500Z-v2, since 2026-11-21T07:45:00Z',
    ],
    [
      { droplet: 'web-1', state: 'broken' as const, holder: { ...HOLDER, release: '', url: 'https://ci.example/7' } },
      'web-1: broken: ann@laptop, since 2026-11-21T07:45:00Z, https://ci.example/7',
    ],
  ])('of %j', (row, line) => {
    expect(printed({ type: 'locks', environment: 'test', rows: [row] })).toBe(`${line}\n`);
  });

  it('shows the words of the holder in one line, and none that moves the cursor', () => {
    const holder = { ...HOLDER, who: 'ann\u001b[2J\nweb-2: free' };
    expect(printed({ type: 'locks', environment: 'test', rows: [{ droplet: 'web-1', state: 'held', holder }] })).toBe(
      'web-1: held: ann web-2: free, release 20261121T074500Z-v2, since 2026-11-21T07:45:00Z\n',
    );
  });
});

it('text goes to standard error with --json, where standard output has objects only', () => {
  const { reporter, stdout, stderr } = reporterOn({ mode: 'json' });
  reporter.print({ type: 'text', lines: ['Nothing was deployed.'] });
  reporter.print({ type: 'tagged', name: 'v1', commit: 'abc', committed: [] });
  expect(stderr.text).toBe('Nothing was deployed.\n');
  expect(stdout.text).toBe('{"schema":2,"type":"tagged","name":"v1","commit":"abc","committed":[]}\n');
});

it('without lines there is no empty line either', () => {
  expect(printed({ type: 'text', lines: [] })).toBe('');
});

it('a JSON line holds no character that a terminal or the runner of GitHub obeys', () => {
  const { reporter, stdout } = reporterOn({ mode: 'json' });
  const name = 'v1\u009b31m\u007f##[add-mask]x\n::add-mask::x ##vso[task.setvariable variable=A]y';
  reporter.print({ type: 'tagged', name, commit: '', committed: [] });
  expect(stdout.text.trimEnd()).toMatch(/^[\x20-\x7e]+$/);
  expect(stdout.text).not.toMatch(/##(vso)?\[/);
  expect(JSON.parse(stdout.text)).toMatchObject({ name });
});

it('with --json, a secret with a control character in it is masked', () => {
  const { reporter, stdout } = reporterOn({ mode: 'json', secrets: ['Zk9pQ7mX2vL8nR4tY6w'] });
  for (const hidden of ['Zk9pQ7mX\u001b[0m2vL8nR4tY6w', 'Zk9pQ7mX2v\u0000L8nR4tY6w']) {
    reporter.report({
      schema: 2,
      at: '2026-11-21T07:45:00.000Z',
      type: 'notice',
      level: 'info',
      message: `a ${hidden}`,
    });
  }
  expect(stdout.text).not.toMatch(/Zk9pQ7mX|L8nR4tY6w/);
  expect(stdout.text.match(/\[secret\]/g)).toHaveLength(2);
});

it('a status says what a fleet is on, and what it owes, below its table', () => {
  const { reporter, stdout } = reporterOn({ mode: 'plain' });
  reporter.print({
    type: 'status',
    heading: 'shop: production',
    rows: [],
    dispute: 'The fleet is on 2 releases: web runs b; worker runs a.',
    see: 'do-deploy status production --check',
    next: 'do-deploy heal production',
    bake: { imageTag: 'v2', next: 'do-deploy production v2' },
  });
  expect(stdout.text.split('\n').slice(-6)).toEqual([
    'The fleet is on 2 releases: web runs b; worker runs a.',
    'See: do-deploy status production --check',
    'Unless a deploy is running, repair it: do-deploy heal production',
    'The bake of v2 did not come to its end.',
    'Unless a deploy is running, make up for it: do-deploy production v2',
    '',
  ]);
});

it('names in a list stay apart, and a line feed in one of them begins no line', () => {
  const [finding] = SAMPLE_OUTPUTS.doctor.findings;
  if (finding === undefined) throw new Error('the sample has no finding');
  const droplets = ['web-1', 'web-2\nerror: forged', 'web-3'];
  const text = printed({ ...SAMPLE_OUTPUTS.doctor, findings: [{ ...finding, droplets }], unchecked: ['One.', 'Two.'] });
  expect(text).toContain('warning: disk-low (web-1, web-2 error: forged, web-3)\n');
  expect(text).toContain('  not looked at: One.\n  not looked at: Two.\n');
});

it('the lines of a diff stay lines', () => {
  expect(printed(SAMPLE_OUTPUTS.plan)).toContain('           -gzip off;\n           +gzip on;\n');
});
