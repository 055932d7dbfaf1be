import { createHash, randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { assemble, packFor, readArchive } from '../../../src/deploy/release/archive.js';
import { checksums, readChecksums, sha256 } from '../../../src/deploy/release/digests.js';
import {
  contentHash,
  fileInMemory,
  identityHash,
  type ReleaseDraft,
  type ReleaseFile,
  readFiles,
  refuseChanged,
  releaseId,
  storedReleaseOf,
} from '../../../src/deploy/release/draft.js';
import { releaseHash } from '../../../src/deploy/release/release-hash.js';
import { imagesOverride } from '../../../src/deploy/release/stored-release.js';
import type { LocalFiles } from '../../../src/ports.js';

const read = async (path: string) => Buffer.from(`content of ${path}`);
const files: LocalFiles = {
  read,
  async *open(path) {
    yield await read(path);
  },
  async digest(path) {
    const content = await read(path);
    return { sha256: sha256(content), size: content.length };
  },
};

async function aDraft(overrides: Partial<ReleaseDraft> = {}): Promise<ReleaseDraft> {
  const known = {
    app: 'shop',
    environment: 'production',
    imageTag: 'v1',
    composeFiles: ['compose/docker-compose.yml'],
    envFiles: [],
    files: await readFiles(
      [
        { localPath: '/p/b', path: 'b', mode: 0o600 },
        { localPath: '/p/a', path: 'a', mode: 0o644 },
      ],
      files,
    ),
  };
  const draft = { ...known, id: 'r1', createdAt: '', createdBy: '', ...overrides };
  return { ...draft, content: contentHash(draft) };
}

it('an id sorts by time and is valid in a path', () => {
  expect(releaseId(Date.UTC(2026, 10, 21, 7, 45), 'feature/x y')).toBe('20261121T074500Z-feature-x-y');
});

it('the content hash depends on what is deployed, not on when or by whom', async () => {
  const one = await aDraft();
  expect((await aDraft({ id: 'r2', createdAt: 'later', createdBy: 'ann' })).content).toBe(one.content);
  const changed = one.files.map((file, index): ReleaseFile => (index === 0 ? { ...file, mode: 0o755 } : file));
  const others = [{ imageTag: 'v2' }, { environment: 'staging' }, { files: changed }, { envFiles: ['a'] }];
  const contents = await Promise.all(others.map(async (other) => (await aDraft(other)).content));
  expect(new Set([one.content, ...contents]).size).toBe(5);
});

it('profiles are part of the content, and leave the hashes of releases without any as they were', async () => {
  const contents = [undefined, ['web'], ['worker'], ['web', 'worker']].map(async (profiles) => aDraft({ profiles }));
  const drafts = await Promise.all(contents);
  expect(new Set(drafts.map(({ content }) => content)).size).toBe(4);
  expect(drafts[0]?.content).toBe((await aDraft()).content);
  const shared = await Promise.all([aDraft({ profiles: ['a'], shared: ['b'] }), aDraft({ profiles: ['a'] })]);
  expect(shared[0]?.content).not.toBe(shared[1]?.content);

  const hashOf = (more: Partial<ReleaseDraft>) =>
    releaseHash({
      ...storedReleaseOf({ ...(drafts[0] as ReleaseDraft), content: 'c', ...more }, [], {}),
      identity: '',
    });
  // As released before there were profiles.
  expect([hashOf({}), hashOf({ shared: ['data/'] })]).toEqual([
    '6d686a508c87a35328b286b6b7664a9f55fba090',
    '6c52735870559d23b4b678ab4a3fe3119ab2d113',
  ]);
  const others = [{ profiles: ['web'] }, { profiles: ['worker'] }, { profiles: ['web'], shared: ['web'] }];
  expect(new Set([hashOf({}), ...others.map(hashOf)]).size).toBe(4);
});

it('the identity depends on the digests of the images too, not on their ids', () => {
  const images = (pinned: string, imageId = 'sha256:a') => ({ app: { reference: 'shop:latest', pinned, imageId } });
  const identity = identityHash('c', images('shop@sha256:1'));
  expect(identityHash('c', images('shop@sha256:1', 'sha256:b')), 'another image store').toBe(identity);
  expect(identityHash('c', images('shop@sha256:2')), 'a tag that has moved').not.toBe(identity);
});

it('checksums have the format of sha256sum and can be read back', async () => {
  const { files: own } = await aDraft();
  expect(checksums(own)).toMatch(/^[0-9a-f]{64} {2}a\n[0-9a-f]{64} {2}b\n$/);
  expect(readChecksums(checksums(own)).get('b')).toBe(own[1]?.sha256);
});

it('an archive holds only what the droplet lacks, and names the files to copy', async () => {
  const draft = await aDraft();
  const [a] = draft.files;
  const { archive, sent, reused } = await packFor(draft, new Map([['a', a?.sha256 ?? '']]));
  const tar = gunzipSync(archive as Buffer).toString('latin1');
  expect([sent.map((file) => file.path), reused.map((file) => file.path)]).toEqual([['b'], ['a']]);
  expect(tar).toContain('content of /p/b');
  expect(tar).not.toContain('content of /p/a');
});

it('a file that changes after it was hashed stops the deploy', async () => {
  const draft = await aDraft();
  const changing = draft.files.map((file) => ({ ...file, read: async () => Buffer.from('new') }));
  await expect(packFor({ ...draft, files: changing }, new Map())).rejects.toMatchObject({
    code: 'file-changed',
    message: 'a was changed while it was being deployed.',
  });
});

it('a file that a hook has changed is refused by name, also where a droplet has it already', async () => {
  const draft = await aDraft();
  const sources = draft.files.map(({ path, mode }) => ({ localPath: `/p/${path}`, path, mode }));
  await refuseChanged(draft, sources, files);
  const changed = { ...files, digest: async (path: string) => ({ ...(await files.digest(path)), sha256: 'other' }) };
  await expect(refuseChanged(draft, sources, changed)).rejects.toMatchObject({
    code: 'file-changed',
    message: 'a was changed at pre_deploy, after the release was made.',
  });
});

describe('a release too large for memory', () => {
  const MiB = 1024 * 1024;
  const SIZE = 5 * MiB + 123;

  /** Pieces that no compression makes small. */
  async function large(changed = false, size = SIZE): Promise<ReleaseFile> {
    const piece = randomBytes(MiB);
    let read = 0;
    const open = async function* () {
      for (let rest = size; rest > 0; rest -= piece.length) {
        read += 1;
        yield changed && rest === size ? Buffer.alloc(MiB) : piece.subarray(0, Math.min(rest, piece.length));
      }
    };
    const hash = createHash('sha256');
    for (let rest = SIZE; rest > 0; rest -= piece.length) hash.update(piece.subarray(0, Math.min(rest, piece.length)));
    const never = () => Promise.reject(new Error('read as a whole'));
    return Object.assign(
      { path: 'large', mode: 0o640, sha256: hash.digest('hex'), size: SIZE, read: never, open },
      {
        get pieces() {
          return read;
        },
      },
    );
  }

  const pieces = async (file: ReleaseFile) => {
    const draft = await aDraft();
    const small = fileInMemory('z', 0o755, Buffer.from('last'));
    const { archive } = await packFor({ ...draft, files: [...draft.files, file, small] }, new Map(), MiB);
    if (typeof archive !== 'function') throw new Error('it is in memory');
    return archive;
  };

  it('is packed in pieces, for every attempt again', async () => {
    const file = await large();
    const archive = await pieces(file);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const chunks: Buffer[] = [];
      for await (const chunk of archive()) chunks.push(chunk);
      const found = (await readArchive(Buffer.concat(chunks))) ?? [];
      const names = ['SHA256SUMS', '.sent', '.reuse', '.modes', 'a', 'b', 'large', 'z'];
      expect(found.map(({ path }) => path)).toEqual(names);
      expect(found[6]).toMatchObject({ mode: 0o640, size: SIZE, sha256: file.sha256 });
    }
  });

  it.each([
    ['changed', true, SIZE],
    ['grew', false, SIZE + MiB],
    ['shrank', false, SIZE - 1],
  ])('is refused if a file %s', async (_, changed, size) => {
    const archive = await pieces(await large(changed, size));
    const drain = async () => {
      for await (const _chunk of archive()) {
        // Only its end counts.
      }
    };
    await expect(drain()).rejects.toMatchObject({ code: 'file-changed' });
  });

  it('is read no further when the upload is given up', async () => {
    const file = await large();
    for await (const _chunk of (await pieces(file))()) break;
    expect((file as ReleaseFile & { pieces: number }).pieces).toBeLessThan(5);
  });
});

describe('a release read from droplets', () => {
  const stored = async () => storedReleaseOf(await aDraft(), [], {});
  const archiveOf = async (change: (file: ReleaseFile) => ReleaseFile = (file) => file) => {
    const tar = pack();
    for (const file of (await aDraft()).files.map(change)) {
      tar.entry({ name: file.path, mode: file.mode }, await file.read());
    }
    tar.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of tar) chunks.push(chunk as Buffer);
    return gzipSync(Buffer.concat(chunks));
  };

  const fromOne = async (change?: (file: ReleaseFile) => ReleaseFile) => {
    const files = await readArchive(await archiveOf(change));
    return assemble(await stored(), files === undefined ? [] : [{ files }]);
  };

  it('is the same as the deployed one', async () => {
    const draft = await fromOne();
    const contents = draft?.files.map(async (file) => String(await file.read()));
    expect(await Promise.all(contents ?? [])).toEqual(['content of /p/a', 'content of /p/b']);
    const known = (await aDraft()).files.map((file) => ({
      ...file,
      read: expect.any(Function),
      open: expect.any(Function),
    }));
    expect(draft).toEqual({ ...(await aDraft()), files: known });
  });

  it.each<[string, (file: ReleaseFile) => ReleaseFile]>([
    ['a byte', (file) => ({ ...file, read: async () => Buffer.from(`${await file.read()} `) })],
    ['a mode', (file) => ({ ...file, mode: 0o666 })],
    ['a name', (file) => ({ ...file, path: `${file.path}2` })],
  ])('is refused when %s differs', async (_, change) => {
    expect(await fromOne(change)).toBeUndefined();
  });

  it('is refused when the archive is truncated or invalid', async () => {
    const whole = await archiveOf();
    for (const archive of [whole.subarray(0, whole.length / 2), Buffer.from('tar: error'), Buffer.alloc(0)]) {
      expect(await readArchive(archive)).toBeUndefined();
    }
  });

  it('is assembled from droplets that have different files edited or missing', async () => {
    const edited = async (path: string) => {
      const change = (file: ReleaseFile): ReleaseFile =>
        file.path === path ? { ...file, mode: 0o666, read: async () => Buffer.from('by hand') } : file;
      return (await readArchive(await archiveOf(change))) ?? [];
    };
    const sums = readChecksums(checksums((await aDraft()).files));
    const [a, b] = [await edited('a'), await edited('b')];
    const draft = assemble(await stored(), [{ files: a, sums }, { files: b }]);
    const contents = draft?.files.map(async (file) => String(await file.read()));
    expect(await Promise.all(contents ?? [])).toEqual(['content of /p/a', 'content of /p/b']);
    expect(draft?.files.map(({ mode }) => mode)).toEqual([0o644, 0o600]);

    const lacking = (files: ReleaseFile[], path: string) => files.filter((file) => file.path !== path);
    expect(assemble(await stored(), [{ files: lacking(a, 'b'), sums }, { files: b }])).toBeUndefined();
    expect(assemble(await stored(), [{ files: lacking(b, 'b'), sums }, { files: a }])).toBeDefined();
  });
});

it('images.yml pins every service', () => {
  const text = imagesOverride({ app: { reference: 'shop:v1', pinned: 'shop@sha256:1', imageId: 'sha256:2' } });
  expect(text).toContain('"app": { image: "shop@sha256:1" }');
});
