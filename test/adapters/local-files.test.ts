import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformWithOxc } from 'vite';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { localFiles } from '../../src/adapters/local-files.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'do-deploy-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function piecesOf(path: string): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  for await (const piece of localFiles.open(path)) pieces.push(piece);
  return pieces;
}

it.each([0, 1, 1024 * 1024, 2.5 * 1024 * 1024])('hashes what it would read, of %d bytes', async (size) => {
  const path = join(folder, `file-${size}`);
  writeFileSync(path, Buffer.from(Array.from({ length: size }, (_, index) => index % 251)));
  const content = await localFiles.read(path);
  expect(content.length).toBe(size);
  const sha256 = createHash('sha256').update(content).digest('hex');
  expect(await localFiles.digest(path)).toEqual({ sha256, size });
  expect(Buffer.concat(await piecesOf(path)).equals(content)).toBe(true);
});

it('says of a file that cannot be read which one, and what to do', async () => {
  for (const read of [localFiles.read, localFiles.digest, piecesOf]) {
    await expect(read(join(folder, 'absent'))).rejects.toMatchObject({
      code: 'local-file',
      message: expect.stringMatching(/absent cannot be read: ENOENT/),
      hint: expect.stringContaining('files:'),
    });
    await expect(read(folder), 'a folder').rejects.toMatchObject({ code: 'local-file' });
  }
});

it('hashes a large file without holding it in memory', async () => {
  const path = join(folder, 'large');
  writeFileSync(path, '');
  truncateSync(path, 400 * 1024 * 1024);
  const before = process.memoryUsage.rss();
  const sha256 = '6ed5e85372e488807486f4446e2a3a501d319be812e969e3de426db798cc5704';
  expect(await localFiles.digest(path)).toEqual({ sha256, size: 400 * 1024 * 1024 });
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
});

/** The adapter as JavaScript, for a process of its own; below node_modules, so that its packages are found. */
async function standalone(): Promise<string> {
  const out = resolve(`node_modules/.cache/do-deploy-local-files-${process.pid}`);
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  for (const path of ['errors', 'adapters/local-files']) {
    const { code } = await transformWithOxc(readFileSync(`src/${path}.ts`, 'utf8'), `${path}.ts`, { sourcemap: false });
    mkdirSync(dirname(join(out, path)), { recursive: true });
    writeFileSync(join(out, `${path}.js`), code);
  }
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }');
  return pathToFileURL(join(out, 'adapters/local-files.js')).href;
}

it('reads and hashes 5,000 files where a process may open 128', async () => {
  const many = join(folder, 'many');
  mkdirSync(many);
  for (let index = 0; index < 5_000; index += 1) writeFileSync(join(many, `${index}`), `${index}`);
  const script = `
    import { localFiles } from '${await standalone()}';
    const paths = Array.from({ length: 5_000 }, (_, index) => '${many}/' + index);
    const all = (task) => Promise.all(paths.map(task));
    const [contents, hashes] = [await all(localFiles.read), await all(localFiles.digest)];
    console.log(Buffer.concat(contents).length, new Set(hashes.map(({ sha256 }) => sha256)).size);
  `;
  const command = 'ulimit -n 128; exec "$0" --input-type=module --eval "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  expect({ stdout, stderr }).toEqual({ stdout: '18890 5000\n', stderr: '' });
});
