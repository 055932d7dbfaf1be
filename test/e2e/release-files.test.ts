import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

describe('a release with many files', { shuffle: false, timeout: 600_000 }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({
      droplets: 2,
      settings: { files: ['config/.env.common', 'config/.env.{environment}', 'config/nginx/', 'static/'] },
    });
    await fleet.project.write('static/readme', 'many files\n');
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  async function makeFiles(folder: string, count: number, options: { mode?: number; name?: (n: number) => string }) {
    const { mode = 0o644, name = (n: number) => `file-${n}.txt` } = options;
    const base = join(fleet.project.folder, 'static', folder);
    await mkdir(base, { recursive: true });
    for (let n = 0; n < count; n += 1) {
      const path = join(base, name(n));
      if (n === 0) await mkdir(join(path, '..'), { recursive: true });
      await writeFile(path, `${n}\n`, { mode });
      if (mode !== 0o644) await chmod(path, mode);
    }
  }
  const count = (folder: string) =>
    Promise.all(
      fleet.machines.map(async (machine) =>
        Number(await machine.must(`find /root/do-deploy/shop/current/static/${folder} -type f | wc -l`)),
      ),
    );

  it('works with 5,000 executable files, also the second time', async () => {
    await makeFiles('executable', 5_000, { mode: 0o777 });
    expect(await fleet.deploy('v2')).toMatchObject(DEPLOYED);
    expect(await fleet.deploy('v3')).toMatchObject(DEPLOYED);
    expect(await count('executable')).toEqual([5_000, 5_000]);
  });

  it('works with 25,000 files', async () => {
    await makeFiles('many', 25_000, {});
    expect(await fleet.deploy('v1')).toMatchObject(DEPLOYED);
    expect(await count('many')).toEqual([25_000, 25_000]);
  });

  it('works with 15,000 files with long paths: their checksums are more than 4 MiB', async () => {
    const folder = Array.from({ length: 4 }, (_, n) => `${'deep'.repeat(12)}-${n}`).join('/');
    await makeFiles('long', 15_000, { name: (n) => `${folder}/${'x'.repeat(60)}-${n}` });
    expect(await fleet.deploy('v2')).toMatchObject(DEPLOYED);
    expect(await fleet.run(['status', 'production', '--check'])).toMatchObject({ code: 0 });
    expect(await fleet.deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });
});
