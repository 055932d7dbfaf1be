import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { checkRoom } from '../../../src/deploy/staging/check-room.js';
import type { Staging } from '../../../src/deploy/staging/staging.js';
import { ShellError } from '../../../src/errors.js';

const MARK = '0123456789abcdef0123456789abcdef';
const staging = {
  settings: {},
  draft: { app: 'shop', id: 'r1', environment: 'production', imageTag: 'v1', composeFiles: [], envFiles: [] },
} as unknown as Staging;

const answer = (freeMegabytes: number, layerMegabytes: number) => {
  const layers = [{ digest: `sha256:${'a'.repeat(64)}`, size: layerMegabytes * 1024 * 1024 }];
  return [
    MARK,
    `\n${MARK} machine\nx86_64`,
    `\n${MARK} found\n/dev/vda1 9 9 ${freeMegabytes * 1024} 20% /`,
    `\n${MARK} manifests\nmanifests:\n${JSON.stringify({ Descriptor: {}, OCIManifest: { layers } })}`,
  ].join('\n');
};

function check(run: () => Promise<{ stdout: string }>): Promise<void> {
  const connection = { run, login: 'ssh -p 22 root@203.0.113.5' };
  const member = { host: { id: 1, name: 'web-1', address: '203.0.113.5' }, connection } as unknown as Member;
  return checkRoom(staging, member, ['ghcr.io/acme/shop:v1']);
}

const printed = (stdout: string) => check(async () => ({ stdout }));

describe('a pull', () => {
  it('needs room for the missing layers, compressed and unpacked', async () => {
    await printed(answer(1_000, 500));
    await expect(printed(answer(999, 500))).rejects.toMatchObject({
      code: 'disk-full',
      droplet: 'web-1',
      message: 'web-1 has 999 MB of room for images, and the pull needs at least 1000 MB.',
      hint: 'See what takes the space: ssh -p 22 root@203.0.113.5 docker system df. Remove images without a name: ssh -p 22 root@203.0.113.5 docker image prune --force',
    });
    await expect(printed(answer(312, 1_000))).rejects.toThrow(
      '312 MB of room for images, and the pull needs at least 2 GB.',
    );
  });

  it('begins where the room or the sizes cannot be learnt', async () => {
    await printed('');
    for (const kind of ['timeout', 'lost', 'output-limit'] as const) {
      await check(() => Promise.reject(new ShellError(kind, 'unknown', 'no answer')));
    }
  });

  it('does not hide a fault of do-deploy', async () => {
    await expect(check(() => Promise.reject(new TypeError('no')))).rejects.toThrow(TypeError);
  });
});
