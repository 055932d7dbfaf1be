import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { localFiles } from '../../src/adapters/local-files.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'do-deploy-files-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each([0, 1, 1024 * 1024, 2.5 * 1024 * 1024])('hashes what it would read, of %d bytes', async (size) => {
  const path = join(folder, `file-${size}`);
  writeFileSync(path, Buffer.from(Array.from({ length: size }, (_, index) => index % 251)));
  const content = await localFiles.read(path);
  expect(content.length).toBe(size);
  expect(await localFiles.sha256(path)).toBe(createHash('sha256').update(content).digest('hex'));
});

it('says of a file that cannot be read which one, and what to do', async () => {
  for (const read of [localFiles.read, localFiles.sha256]) {
    await expect(read(join(folder, 'absent'))).rejects.toMatchObject({
      code: 'local-file',
      message: expect.stringMatching(/absent cannot be read: ENOENT/),
      hint: expect.stringContaining('files:'),
    });
    await expect(read(folder), 'a folder').rejects.toMatchObject({ code: 'local-file' });
  }
});
