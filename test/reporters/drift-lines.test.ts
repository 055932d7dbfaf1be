import { describe, expect, it } from 'vitest';
import type { ShownDrift } from '../../src/reporters/drift-lines.js';
import { reporterOn } from '../support/reporter-on.js';

const PASSWORD = 'hunter2-hunter2';
const usual: ShownDrift = {
  app: 'shop',
  environment: 'production',
  release: { id: '20261124T000000Z-v2', imageTag: 'v2' },
  differences: [],
  fixes: { heal: 'do-deploy heal production', adopt: 'do-deploy adopt production' },
  droplets: 3,
};

function shown(drift: Partial<ShownDrift>, mode: 'plain' | 'json' = 'plain'): string {
  const { reporter, stdout } = reporterOn({ mode, secrets: [PASSWORD] });
  reporter.print({ type: 'drift', ...usual, ...drift });
  return stdout.text;
}

describe('what differs', () => {
  it('is a plain sentence when nothing does', () => {
    expect(shown({})).toBe('shop: production, release 20261124T000000Z-v2\nAll 3 droplets match their release.\n');
    expect(shown({ droplets: 1 })).toContain('\nThe droplet matches its release.\n');
  });

  it('comes after why the release itself is in doubt', () => {
    const dispute = 'Most droplets run a release that is not recorded at DigitalOcean.';
    expect(shown({ dispute })).toBe(
      `shop: production, release 20261124T000000Z-v2\n${dispute}\nAll 3 droplets match their release.\n`,
    );
  });

  it('comes after a bake that is owed', () => {
    expect(shown({ bake: { imageTag: 'v2', next: 'do-deploy production v2' } })).toBe(
      'shop: production, release 20261124T000000Z-v2\nThe bake of v2 did not come to its end.\nTo make up for it: do-deploy production v2\nAll 3 droplets match their release.\n',
    );
  });

  it('is one line each, without secrets, however long the output of a container; then the commands that fix it', () => {
    const message = `app is unhealthy: cannot log in\n  as shop:${PASSWORD}\u001b[2J`;
    const text = shown({
      differences: [
        { droplet: 'web-1', kind: 'container-not-healthy', message, fix: 'heal' },
        { droplet: 'web-2', kind: 'no-release', message: 'runs no release', fix: 'adopt' },
        { droplet: 'web-3', kind: 'clock', message: 'its clock is 1 min 1 s behind' },
      ],
    });
    expect(text.split('\n')).toEqual([
      'shop: production, release 20261124T000000Z-v2',
      'web-1: app is unhealthy: cannot log in as shop:[secret]',
      'web-2: runs no release',
      'web-3: its clock is 1 min 1 s behind',
      '',
      'do-deploy heal production fixes 1 difference.',
      'do-deploy adopt production fixes 1 difference.',
      '',
    ]);
    const json = shown({ differences: [{ droplet: 'web-1', kind: 'container-not-healthy', message }] }, 'json');
    expect(json).not.toContain(PASSWORD);
    expect(JSON.parse(json)).toMatchObject({ schema: 2, type: 'drift', environment: 'production' });
  });

  it('may come from a deploy that is running, which is reported', () => {
    expect(shown({ deploying: { who: 'ann@laptop', since: '2026-11-24T00:00:00Z' } }).split('\n')[1]).toBe(
      'ann@laptop is deploying now: the differences may come from that deploy.',
    );
  });
});
