/** The scripts of action.yml with the real command, on the sandbox. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runAction } from '../support/composite-action.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describe('the action', { shuffle: false }, () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start({ droplets: 2 });
  });
  afterAll(() => fleet.stop());

  it('deploys, and tells later steps and the summary page how it ended', async () => {
    const inputs = { environment: 'sandbox', release: 'v1', config: 'config/deploy.first.yml', args: '--verbose' };
    const end = await runAction({ inputs, cwd: fleet.folder });
    expect(end.code, end.stdout + end.stderr).toBe(0);
    expect(end.outputs).toEqual({
      outcome: 'succeeded',
      release: expect.stringMatching(/^\d{8}T\d{6}Z-v1$/),
      summary: expect.stringMatching(/^Deployed v1 to 2 droplets in /),
    });
    expect(end.stdout).toMatch(/^::group::Staging the release on every droplet$/m);
    expect(end.page).toContain('| web-1 |');
  });

  it('runs other commands, and fails where they fail', async () => {
    const status = await runAction({ inputs: { command: 'status', environment: 'sandbox' }, cwd: fleet.folder });
    expect(status).toMatchObject({ code: 0, outputs: { outcome: '', release: '', summary: '' } });
    expect(status.page).toMatch(/^### shop: sandbox\n/);
    const token = `dop_v1_${'0'.repeat(64)}`;
    const refused = await runAction({
      inputs: { command: 'status', environment: 'sandbox', token },
      cwd: fleet.folder,
    });
    expect(refused).toMatchObject({ code: 2, outputs: { outcome: 'failed' } });
    expect(refused.stdout + refused.stderr + refused.page).not.toContain(token);
  });

  it.each([
    { environment: 'sand box"$(touch pwned)`touch pwned`\n::error::x', release: 'v1' },
    { environment: 'sandbox', release: '$(touch pwned)' },
    { environment: 'sandbox', release: "v1'; touch pwned; '" },
    { environment: 'sandbox', release: '--allow-downtime' },
  ])('refuses what is no environment or release: %j', async (inputs) => {
    const end = await runAction({ inputs, cwd: fleet.folder });
    expect(end).toMatchObject({ code: 2, outputs: { outcome: 'failed', release: '' } });
    expect(end.outputs.summary).toMatch(/^error: (There is no environment|Invalid RELEASE)/);
    expect(end.stdout.split('\n').filter((line) => /^\s*::error::x/.test(line))).toEqual([]);
    expect(existsSync(join(fleet.folder, 'pwned'))).toBe(false);
  });
});
