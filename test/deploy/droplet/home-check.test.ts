/** The check of a droplet's home, run by a real shell. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkHome, refuseUnusableHome } from '../../../src/deploy/droplet/home-check.js';
import type { Member } from '../../../src/deploy/droplet/member.js';

const SHARED = ['data/', 'keys/my token'];
const LOGIN = 'ssh -p 22 ann@203.0.113.5';

function home(files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'do-deploy-home-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const look = (folder: string, shared: readonly string[] = SHARED) =>
  execFileSync('sh', ['-c', ['set -u', ...checkHome('shop', shared)].join('\n')], {
    env: { PATH: process.env.PATH, HOME: folder },
    encoding: 'utf8',
  });

function refusal(unusable: string, shared = SHARED, given: { config?: string } = {}): unknown {
  const member = { host: { name: 'web-1' }, connection: { login: LOGIN }, survey: { unusable } } as unknown as Member;
  try {
    refuseUnusableHome(member, { app: 'shop', shared, ...given });
    return undefined;
  } catch (error) {
    return error;
  }
}

it('a home that can take a release, and has what is shared, passes; nothing but the folder is left', () => {
  const folder = home({ 'do-deploy/shop/shared/keys/my token': 'x', 'do-deploy/shop/shared/data/photo': 'x' });
  expect(look(folder)).toBe('');
  expect(readdirSync(join(folder, 'do-deploy/shop/releases'))).toEqual([]);
  expect(look(home(), [])).toBe('');
  expect(refusal('')).toBeUndefined();
});

it('a home that cannot take one is named, with the command that shows why', () => {
  expect(refusal(look(home({ 'do-deploy': 'a file' })))).toMatchObject({
    code: 'home-unusable',
    droplet: 'web-1',
    message: expect.stringMatching(/^~\/do-deploy\/shop on web-1 cannot be written to: .*do-deploy/),
    hint: `See whose it is: ${LOGIN} 'ls -ld ~ ~/do-deploy ~/do-deploy/shop'`,
  });
  for (const reason of ['sh: 5: printf: I/O error', 'mkdir: No space left on device', 'Disk quota exceeded']) {
    expect(refusal(`home ${reason}`)).toMatchObject({ code: 'disk-full', source: 'external' });
  }
});

it('a shared file that is missing, and what is not the file or folder that it should be, is named', () => {
  const missing = look(home());
  expect(missing).toBe('missing keys/my token\n');
  expect(refusal(missing)).toMatchObject({
    code: 'shared-file-missing',
    message: 'web-1 has no ~/do-deploy/shop/shared/keys/my token, which shared: in config/deploy.yml names.',
    hint: `Put it there: ${LOGIN} 'mkdir -p do-deploy/shop/shared/keys && cat >'\\''do-deploy/shop/shared/keys/my token'\\''' <'keys/my token'`,
  });
  const odd = look(home({ 'do-deploy/shop/shared/data': 'a file', 'do-deploy/shop/shared/keys/my token/x': '' }));
  expect(odd).toBe('kind data/\nkind keys/my token\n');
  expect(refusal(odd)).toMatchObject({
    code: 'shared-unusable',
    source: 'user',
    message: '~/do-deploy/shop/shared/data on web-1 is not a folder; see shared: in config/deploy.yml.',
  });
  const given = { config: 'config/other.yml' };
  expect(refusal(missing, SHARED, given)).toMatchObject({
    message: expect.stringContaining('in config/other.yml names'),
  });
  expect(refusal(odd, SHARED, given)).toMatchObject({
    message: expect.stringContaining('shared: in config/other.yml.'),
  });
  expect(refusal('kind keys/my token')).toMatchObject({
    message: expect.stringContaining('my token on web-1 is not a'),
  });
  expect(refusal('closed ')).toMatchObject({ code: 'shared-unusable' });
  expect(refusal('missing etc/shadow'), 'words of a droplet that repeat nothing').toBeUndefined();
});
