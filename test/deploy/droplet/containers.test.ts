import { expect, it } from 'vitest';
import { readContainersNow, refreshContainers } from '../../../src/deploy/droplet/containers.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { oneContainer } from '../../support/one-container.js';

it('a container that ran out of memory is known as such when Docker has started it again', async () => {
  const looks = [oneContainer(80).replace('"OOMKilled":false', '"OOMKilled":true'), oneContainer(80)];
  const run = async () => ({ code: 0, stderr: '', stdout: looks.shift() ?? oneContainer(80).replaceAll('c1', 'c2') });
  const member = { host: { name: 'web-1' }, connection: { run }, containers: [] } as unknown as Member;
  await readContainersNow(member, 'shop');
  await refreshContainers(member, 'shop');
  expect(member.containers).toMatchObject([{ id: 'c1', oomKilled: true }]);
  await refreshContainers(member, 'shop');
  expect(member.containers).toMatchObject([{ id: 'c2', oomKilled: false }]);
});
