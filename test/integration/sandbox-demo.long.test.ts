/** `do-deploy sandbox demo`: the first command of a new user. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { Command } from './command.js';

vi.setConfig({ testTimeout: 300_000 });

it('demo ends with the proof that no request failed', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'do-deploy-demo-'));
  test.onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { ended } = new Command(test, ['sandbox', 'demo', '--droplets', '2', '--folder', folder], { cwd: folder });
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
  const [version, proof, ...rest] = stdout.trimEnd().split('\n').slice(-2);
  expect(version).toBe('The balancer answers: shop v2');
  const [, failed, total] =
    /^(\d+) of (\d+) requests failed \(.* never fewer than 1 serving\)$/.exec(proof ?? '') ?? [];
  expect({ failed, rest }).toEqual({ failed: '0', rest: [] });
  expect(Number(total)).toBeGreaterThanOrEqual(500);
  expect(stdout).toMatch(/^web-1 .* deployed$\n^web-2 .* deployed$/m);
});
