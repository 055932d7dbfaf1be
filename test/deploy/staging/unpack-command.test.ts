/** Unpacking an uploaded archive, run by a real shell. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { packFor } from '../../../src/deploy/release/archive.js';
import { checksums } from '../../../src/deploy/release/digests.js';
import { fileInMemory, type ReleaseDraft } from '../../../src/deploy/release/draft.js';
import { NOT_SHARED, unpackCommand } from '../../../src/deploy/staging/unpack-command.js';

/** compose: prints the files in its folder, and fails when the file ~/refuse exists. */
const DOCKER = `#!/bin/sh
find . -type f -exec cat {} +
[ ! -e "$HOME/refuse" ] || exit 14
`;

let home: string;
const app = () => join(home, 'do-deploy/shop');
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'do-deploy-unpack-'));
  await mkdir(join(home, 'bin'));
  await writeFile(join(home, 'bin/docker'), DOCKER);
  await chmod(join(home, 'bin/docker'), 0o755);
});
afterEach(() => rm(home, { recursive: true, force: true }));

const OLD = { 'compose.yml': 'compose', 'config/.env': 'secret', 'config/nginx/a b.conf': 'nginx', 'gone.txt': 'gone' };
const NEW = { 'compose.yml': 'compose', 'config/.env': 'secret', 'config/nginx/a b.conf': 'changed', 'new.sh': 'new' };

function draftOf(id: string, files: Record<string, string>, shared?: string[]): ReleaseDraft {
  return {
    id,
    app: 'shop',
    environment: 'production',
    imageTag: id,
    content: '',
    createdAt: '',
    createdBy: '',
    composeFiles: ['compose.yml'],
    envFiles: [],
    shared,
    files: Object.entries(files).map(([path, text]) =>
      fileInMemory(path, path.endsWith('.sh') ? 0o750 : path.endsWith('.env') ? 0o600 : 0o644, Buffer.from(text)),
    ),
  };
}

/** Uploads and unpacks the release; unchanged files come from `base`. */
async function unpack(draft: ReleaseDraft, base?: ReleaseDraft, declared: string[] = []) {
  const known = new Map(base?.files.map((file) => [file.path, file.sha256]));
  const { archive, reused } = await packFor(draft, known);
  await mkdir(join(app(), 'releases'), { recursive: true });
  await writeFile(join(app(), `incoming-${draft.id}.tgz`), typeof archive === 'function' ? archive() : archive);
  const { script } = unpackCommand(draft, base?.id, reused, declared);
  const env = { PATH: `${join(home, 'bin')}:${process.env.PATH}`, HOME: home };
  return await new Promise<{ code: number; stdout: string; stderr: string }>((done) => {
    execFile('sh', ['-c', script], { env }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const partOf = (id: string) => join(app(), 'releases', `${id}.partial`);

async function filesOf(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    files.map(async (path) => [path.slice(folder.length + 1), await readFile(path, 'utf8')]),
  );
  return Object.fromEntries(texts.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)));
}

/** Puts the old release on the droplet. */
async function have(id: string): Promise<ReleaseDraft> {
  const draft = draftOf(id, OLD);
  for (const [path, text] of Object.entries(OLD)) {
    const file = join(app(), 'releases', id, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return draft;
}

describe('unpacking a release', () => {
  it('combines the files sent with those on the droplet, and compose reads all of them', async () => {
    const end = await unpack(draftOf('v2', NEW), await have('v1'));
    expect(end).toMatchObject({ code: 0, stderr: '' });
    for (const text of Object.values(NEW)) expect(end.stdout).toContain(text);
    expect(end.stdout).not.toContain('gone');
    expect(await filesOf(partOf('v2'))).toEqual({ SHA256SUMS: checksums(draftOf('v2', NEW).files), ...NEW });
    expect((await readdir(app())).sort()).toEqual(['releases']);
  });

  it.each([[[]], [['v1']]])(
    'asks compose for the values of variables, and leaves nothing of that: from %j',
    async (from) => {
      const [base] = await Promise.all(from.map(have));
      const end = await unpack(draftOf('v2', NEW), base, ['POOL', 'MODE']);
      // biome-ignore lint/suspicious/noTemplateCurlyInString: compose replaces it
      expect(end.stdout).toContain('{"x-do-deploy-variables":{"POOL":"${POOL-}","MODE":"${MODE-}"}}');
      expect(await filesOf(partOf('v2'))).toEqual({ SHA256SUMS: checksums(draftOf('v2', NEW).files), ...NEW });
    },
  );

  it('compose reads the files with the profiles that are on', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: for the shell
    await writeFile(join(home, 'bin/docker'), '#!/bin/sh\necho "profiles: ${COMPOSE_PROFILES-none}"\n');
    expect((await unpack({ ...draftOf('v2', NEW), profiles: ['web', 'worker'] })).stdout).toBe(
      'profiles: web,worker\n',
    );
    expect((await unpack(draftOf('v3', NEW))).stdout).toBe('profiles: none\n');
  });

  it('copies files instead of linking them, with the modes of the new release', async () => {
    await unpack(draftOf('v2', NEW), await have('v1'));
    const [old, own] = await Promise.all(
      [join(app(), 'releases/v1'), partOf('v2')].map((folder) => stat(join(folder, 'config/.env'))),
    );
    expect(own?.ino).not.toBe(old?.ino);
    expect((own?.mode ?? 0) & 0o777).toBe(0o600);
    expect((await stat(join(partOf('v2'), 'new.sh'))).mode & 0o777).toBe(0o750);
  });

  it('gives copied files the modes of the new release, whatever the files are called', async () => {
    const files = { 'compose.yml': 'compose', "config/it's $HOME.sh": 'script', '-rf/--help.sh': 'script' };
    const base = draftOf('v1', files);
    for (const [path, text] of Object.entries(files)) {
      const file = join(app(), 'releases/v1', path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    expect(await unpack(draftOf('v2', files), base)).toMatchObject({ code: 0, stderr: '' });
    const { SHA256SUMS: _, ...unpacked } = await filesOf(partOf('v2'));
    expect(unpacked).toEqual(files);
    const modes = Object.keys(files).map(async (path) => (await stat(join(partOf('v2'), path))).mode & 0o777);
    expect(await Promise.all(modes)).toEqual([0o644, 0o750, 0o750]);
  });

  it('works without a release to copy from', async () => {
    expect(await unpack(draftOf('v1', OLD))).toMatchObject({ code: 0, stderr: '' });
    expect(await filesOf(partOf('v1'))).toEqual({ SHA256SUMS: checksums(draftOf('v1', OLD).files), ...OLD });
  });

  it('works when no file has changed', async () => {
    expect(await unpack(draftOf('v2', OLD), await have('v1'))).toMatchObject({ code: 0, stderr: '' });
    expect(await filesOf(partOf('v2'))).toEqual({ SHA256SUMS: checksums(draftOf('v2', OLD).files), ...OLD });
  });

  it('fails with the exit code of compose', async () => {
    await writeFile(join(home, 'refuse'), '');
    expect((await unpack(draftOf('v2', NEW), await have('v1'))).code).toBe(14);
  });
});

describe('what all releases share', () => {
  const SHARED = ['data/', 'var/my uploads/', 'secrets/.htpasswd'];

  it('is linked into the release, with its content; folders are created', async () => {
    await mkdir(join(app(), 'shared/secrets'), { recursive: true });
    await writeFile(join(app(), 'shared/secrets/.htpasswd'), 'ann');
    const base = await have('r1');
    for (const [id, from] of [
      ['r2', undefined],
      ['r3', base],
    ] as const) {
      const end = await unpack(draftOf(id, NEW, SHARED), from);
      expect(end).toMatchObject({ code: 0, stderr: '' });
      const part = partOf(id);
      await writeFile(join(part, 'data', `of-${id}`), id);
      expect(await realpath(join(part, 'var/my uploads'))).toBe(join(await realpath(app()), 'shared/var/my uploads'));
      expect(await readFile(join(part, 'secrets/.htpasswd'), 'utf8')).toBe('ann');
      expect(await filesOf(part)).toMatchObject(NEW);
    }
    expect((await readdir(join(app(), 'shared/data'))).sort()).toEqual(['of-r2', 'of-r3']);
    expect((await stat(join(app(), 'shared/data'))).mode & 0o777).toBe(0o755);
    await rm(partOf('r2'), { recursive: true });
    expect(await readdir(join(app(), 'shared/data')), 'a release is removed with its link only').toHaveLength(2);
  });

  it('is refused where a file is missing; its folder is created', async () => {
    const end = await unpack(draftOf('r2', NEW, SHARED));
    expect(end).toMatchObject({ code: NOT_SHARED, stderr: 'secrets/.htpasswd\n' });
    expect(await readdir(join(app(), 'shared'))).toEqual(['data', 'secrets', 'var']);
  });
});
