/** What root on a droplet can do to the releases that are kept there. */
import { cpSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checksums } from '../../src/deploy/release/digests.js';
import { contentHash, fileInMemory, identityHash, type ReleaseFile } from '../../src/deploy/release/draft.js';
import type { StoredRelease } from '../../src/deploy/release/stored-release.js';

const OWN = new Set(['release.json', 'images.yml', 'SHA256SUMS']);

export const FORGED_ID = '20991231T235959Z-forged';

/**
 * Makes a release that looks newer, verified and complete, with correct hashes, and whose start-up.sh leaves the file
 * `mark`.
 * @param appFolder ~/do-deploy/APP of the droplet
 */
export function forgeNewerRelease(appFolder: string, mark: string): void {
  const releases = join(appFolder, 'releases');
  const from = join(appFolder, readlinkSync(join(appFolder, 'current')));
  const folder = join(releases, FORGED_ID);
  if (from !== folder) {
    rmSync(folder, { recursive: true, force: true });
    cpSync(from, folder, { recursive: true, preserveTimestamps: true });
  }
  poison(folder, mark);
  reseal(folder, FORGED_ID);
  const since = '2099-12-31T23:59:59.000Z';
  const state = {
    release: FORGED_ID,
    phase: 'verified',
    previous: FORGED_ID,
    proven: [FORGED_ID],
    run: 'forged',
    since,
  };
  writeFileSync(join(appFolder, 'state.json'), `${JSON.stringify(state)}\n`);
  rmSync(join(appFolder, 'current'));
  symlinkSync(`releases/${FORGED_ID}`, join(appFolder, 'current'));
}

/** Changes the files of the release that the droplet runs, and makes its record and its sums agree with them. */
export function forgeCurrentRelease(appFolder: string, mark: string): void {
  const folder = join(appFolder, readlinkSync(join(appFolder, 'current')));
  poison(folder, mark);
  const { id } = JSON.parse(readFileSync(join(folder, 'release.json'), 'utf8')) as StoredRelease;
  reseal(folder, id);
}

function poison(folder: string, mark: string): void {
  const script = join(folder, 'scripts/start-up.sh');
  const text = readFileSync(script, 'utf8');
  writeFileSync(script, text.replace('set -eu\n', `set -eu\ntouch "$HOME/${mark}"\n`));
}

function reseal(folder: string, id: string): void {
  const record = JSON.parse(readFileSync(join(folder, 'release.json'), 'utf8')) as StoredRelease;
  const files = filesOf(folder);
  const content = contentHash({ ...record, files });
  const forged = { ...record, id, content, identity: identityHash(content, record.images) };
  writeFileSync(join(folder, 'release.json'), `${JSON.stringify(forged)}\n`);
  writeFileSync(join(folder, 'SHA256SUMS'), checksums(files));
}

function filesOf(folder: string): ReleaseFile[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry) => {
    const place = join(entry.parentPath, entry.name);
    return fileInMemory(relative(folder, place), statSync(place).mode & 0o777, readFileSync(place));
  });
  return files.filter(({ path }) => !OWN.has(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
}
