import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../src/deploy/fleet/ledger.js';
import { aDroplet, FakeCloud, lost, refused } from '../../support/fake-cloud.js';

const TAG = 'do-deploy:out:shop:production';

function ledgerOn(droplets = [aDroplet(1), aDroplet(2)]) {
  const cloud = new FakeCloud([], droplets);
  const tagsOf = (id: number) => cloud.droplets.find((droplet) => droplet.id === id)?.tags;
  return { cloud, ledger: new Ledger(cloud, 'shop', 'production'), tagsOf };
}

describe('the rotation ledger', () => {
  it('is a tag on the droplet', async () => {
    const { ledger, tagsOf, cloud } = ledgerOn();
    cloud.tags.add(TAG);
    await ledger.write(1);
    expect(tagsOf(1)).toEqual([TAG]);
    await ledger.clear(1);
    expect(tagsOf(1)).toEqual([]);
  });

  it('creates the tag when it was deleted', async () => {
    const { ledger, tagsOf } = ledgerOn();
    await ledger.write(1);
    expect(tagsOf(1)).toEqual([TAG]);
  });

  it.each([true, false])('reads back after a lost answer (applied: %s)', async (applied) => {
    const { ledger, tagsOf, cloud } = ledgerOn();
    cloud.tags.add(TAG);
    cloud.fail('tagDroplets', lost(applied));
    await ledger.write(1);
    expect(tagsOf(1)).toEqual([TAG]);
  });

  it('fails when the answer is lost every time', async () => {
    const { ledger, cloud } = ledgerOn();
    cloud.tags.add(TAG);
    cloud.fail('tagDroplets', lost(false), lost(false), lost(false), lost(false));
    await expect(ledger.write(1)).rejects.toMatchObject({ code: 'cloud-timeout' });
  });

  it('checks that it can be written without changing a droplet', async () => {
    const { ledger, tagsOf, cloud } = ledgerOn([aDroplet(1, { tags: [TAG] }), aDroplet(2)]);
    await ledger.checkWritable(cloud.droplets);
    expect([tagsOf(1), tagsOf(2)]).toEqual([[TAG], []]);
  });

  it.each(['createTag', 'untagDroplets'] as const)('names the scopes when %s is forbidden', async (call) => {
    const { ledger, cloud } = ledgerOn();
    cloud.fail(call, refused('forbidden'));
    await expect(ledger.checkWritable(cloud.droplets)).rejects.toMatchObject({
      code: 'ledger-forbidden',
      source: 'user',
      hint: expect.stringContaining('tag:create, tag:delete, tag:read and droplet:update'),
    });
  });

  it('names the scopes when the token may not read tags', async () => {
    const { ledger, cloud } = ledgerOn();
    cloud.fail('listDroplets', refused('forbidden'));
    await expect(ledger.checkReadable()).rejects.toMatchObject({
      code: 'ledger-forbidden',
      source: 'user',
      message: expect.stringContaining('may not read tags'),
      hint: expect.stringContaining('tag:read'),
    });
  });

  it('is readable before its tag exists', async () => {
    const { ledger, cloud } = ledgerOn();
    cloud.fail('listDroplets', refused('not-found'));
    await ledger.checkReadable();
  });
});
