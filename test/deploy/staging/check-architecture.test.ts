import { expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { refuseForeignImages } from '../../../src/deploy/staging/check-architecture.js';

function member(machine: string): { member: Member; asked: string[] } {
  const asked: string[] = [];
  const run = async ({ name }: { name: string }) => {
    asked.push(name);
    return { code: 0, stdout: `${machine}\n`, stderr: '' };
  };
  return { member: { host: { name: 'web-1' }, connection: { run } } as unknown as Member, asked };
}

it.each([
  ['arm64', 'x86_64', 'shop:v2 is built for arm64, but web-1 is amd64.'],
  ['arm', 'aarch64', 'shop:v2 is built for arm, but web-1 is arm64.'],
])('an image for %s is refused on %s', async (architecture, machine, message) => {
  await expect(
    refuseForeignImages(member(machine).member, [{ reference: 'shop:v2', architecture }]),
  ).rejects.toMatchObject({
    code: 'image-architecture',
    source: 'user',
    droplet: 'web-1',
    message,
    hint: expect.stringContaining('docker buildx build --platform linux/'),
  });
});

it.each([
  ['arm64', 'aarch64'],
  ['arm64', 'riscv64'],
])('an image for %s is accepted on %s', async (architecture, machine) => {
  await refuseForeignImages(member(machine).member, [{ reference: 'shop:v2', architecture }]);
});

it('the droplet is asked only about images for another processor than amd64', async () => {
  const { member: one, asked } = member('x86_64');
  await refuseForeignImages(one, [
    { reference: 'shop:v2', architecture: 'amd64' },
    { reference: 'other' },
    { reference: 'third', architecture: '' },
  ]);
  expect(asked).toEqual([]);
});
