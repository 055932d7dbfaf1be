import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

/** Run by the script that users have for more of them, in processes of its own: it is the same code. */
async function simulate(...args: string[]) {
  const run = promisify(execFile)(process.execPath, ['scripts/simulate.mjs', '--json', ...args], { maxBuffer: 1e8 });
  const { stdout } = await run.catch((error: { stdout?: string }) => {
    if (!error.stdout) throw error;
    return { stdout: error.stdout };
  });
  return JSON.parse(stdout) as {
    rollouts: number;
    broken: { seed: number; rule: string; text: string }[];
    happened: Record<string, number>;
  };
}

it('two thousand rollouts with all that can befall them break no property', { timeout: 600_000 }, async () => {
  const { rollouts, broken, happened } = await simulate('--runs', '2000');
  expect(broken).toEqual([]);
  expect(rollouts).toBeGreaterThanOrEqual(2_000);
  // A plan of faults that never hits anything would prove nothing.
  const kinds = Object.keys(happened).map((what) => what.split(':')[0]);
  for (const kind of ['crash', 'drop', 'error', 'failed', 'happening', 'maybe', 'no', 'revoked', 'signal', 'slow']) {
    expect(kinds, `"${kind}" must have happened`).toContain(kind);
  }
  for (const end of [
    'end: crashed',
    'end: deploy succeeded',
    'end: deploy skipped',
    'end: deploy failed',
    'end: deploy interrupted',
    'end: heal succeeded',
    'end: heal skipped',
    'error: lease-held',
    'row: reverted',
    'row: deploy failed',
  ]) {
    expect(happened[end] ?? 0, end).toBeGreaterThan(0);
  }
});
