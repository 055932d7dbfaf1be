import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

const ODD_NAMES = ["it's $HOME.sh", '-rf', ' blank ', 'quote".sh'];

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

  it('works with 5,000 executable files, 25,000 small ones, and long paths: more than 4 MiB of checksums', async () => {
    await makeFiles('executable', 5_000, { mode: 0o777 });
    await makeFiles('many', 25_000, {});
    const folder = Array.from({ length: 4 }, (_, n) => `${'deep'.repeat(12)}-${n}`).join('/');
    await makeFiles('long', 15_000, { name: (n) => `${folder}/${'x'.repeat(60)}-${n}` });
    for (const name of ODD_NAMES) await fleet.project.write(`static/names/${name}`, `${name}\n`, 0o750);
    expect(await fleet.deploy('v2')).toMatchObject(DEPLOYED);
    for (const [name, files] of Object.entries({ executable: 5_000, many: 25_000, long: 15_000 })) {
      expect(await count(name)).toEqual([files, files]);
    }
  });

  it('copies unchanged files the second time, with their modes and whatever they are called, and finds no difference', async () => {
    await fleet.project.write('static/readme', 'changed\n');
    expect(await fleet.deploy('v2')).toMatchObject(DEPLOYED);
    expect(await count('executable')).toEqual([5_000, 5_000]);
    for (const machine of fleet.machines) {
      const list = await machine.must(
        'cd /root/do-deploy/shop/current/static/names && stat -c "%a %n|" -- * " blank "',
      );
      for (const name of ODD_NAMES) expect(list).toContain(`750 ${name}|\n`);
    }
    expect(await fleet.run(['status', 'production', '--check'])).toMatchObject({ code: 0 });
    expect(await fleet.deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });
});
