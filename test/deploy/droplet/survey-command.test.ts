/** The survey of a droplet, run by a real shell. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSurvey, surveyCommand } from '../../../src/deploy/droplet/survey-command.js';
import { sha256 } from '../../../src/deploy/release/digests.js';

const DOCKER = `#!/bin/sh
case $1 in
  version) echo 28.2.2 ;;
  compose) echo 2.36.0 ;;
  ps) ;;
esac
`;

let home: string;
const app = () => join(home, 'do-deploy/shop');

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'do-deploy-survey-'));
  await mkdir(join(home, 'bin'));
  await writeFile(join(home, 'bin/docker'), DOCKER);
  await chmod(join(home, 'bin/docker'), 0o755);
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function survey() {
  const env = { PATH: `${join(home, 'bin')}:${process.env.PATH}`, HOME: home };
  const stdout = await new Promise<string>((done, fail) => {
    const { script } = surveyCommand('shop', false);
    execFile('sh', ['-c', script], { env, maxBuffer: 2 ** 26 }, (error, out) => (error ? fail(error) : done(out)));
  });
  return readSurvey(stdout);
}

/** Makes v1 the current release, with these files. */
async function deployed(files: Record<string, string>) {
  const folder = join(app(), 'releases/v1');
  for (const [path, text] of Object.entries({ ...files, 'images.yml': 'images' })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const sums = Object.entries(files).map(([path, text]) => `${sha256(text)}  ${path}\n`);
  await writeFile(join(folder, 'SHA256SUMS'), sums.join(''));
  await symlink('releases/v1', join(app(), 'current'));
  return folder;
}

describe('the survey of a droplet', () => {
  it('hashes files whatever they are called', async () => {
    const files = { "a b/it's.conf": 'x', '-rf/--help': 'y', 'quote".txt': 'z', ' blank ': 'w' };
    await deployed(files);
    const { checksums, found } = await survey();
    expect(Object.fromEntries(checksums)).toEqual(
      Object.fromEntries(Object.entries(files).map(([path, text]) => [path, sha256(text)])),
    );
    expect(Object.fromEntries(found)).toEqual({ ...Object.fromEntries(checksums), 'images.yml': sha256('images') });
  });

  it('shows which files were changed and which are missing', async () => {
    const folder = await deployed({ same: '1', changed: '2', gone: '3' });
    await writeFile(join(folder, 'changed'), 'edited');
    await rm(join(folder, 'gone'));
    const { found } = await survey();
    expect(Object.fromEntries(found)).toEqual({
      same: sha256('1'),
      changed: sha256('edited'),
      'images.yml': sha256('images'),
    });
  });

  it('takes no content for a section of its own', async () => {
    const state = { release: 'v1', phase: 'verified', run: '\n--- do-deploy:out\n', since: '--- do-deploy:state' };
    await deployed({ '--- do-deploy:state': '1', 'mark state': '2' });
    await writeFile(join(app(), 'state.json'), JSON.stringify(state));
    await writeFile(join(app(), 'out.json'), 'state\n\nstate {}');
    const seen = await survey();
    expect(seen.state).toEqual(state);
    expect(seen.out).toBeUndefined();
    expect([...seen.checksums.keys()]).toEqual(['--- do-deploy:state', 'mark state']);
    expect(seen.docker).toBe('28.2.2');
  });
});
