/** What runs on a booting droplet, as text: in the languages that it is written in, and without what is secret. */
import { spawnSync } from 'node:child_process';
import { createDecipheriv, pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BootstrapSettings, Settings } from '../../../src/config/settings.js';
import { bootScript } from '../../../src/deploy/boot/boot-script.js';
import { ITERATIONS, isSecretFile, packBundle } from '../../../src/deploy/boot/pack-bundle.js';
import { MAX_USER_DATA_BYTES, userData } from '../../../src/deploy/boot/user-data.js';
import { bundleKeys } from '../../../src/deploy/bundle/keys.js';
import { BUNDLE, DRAFT, privateKey, RELEASE, settings } from './samples.js';

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const shell = has('dash') ? 'dash' : 'sh';

const keys = bundleKeys(BUNDLE);
const { reader } = BUNDLE;
if (keys === undefined || reader === undefined) throw new Error('the sample has keys');

function dataFor(changes: Partial<Settings> = {}, bootstrap = false): string {
  return userData({
    settings: settings(changes),
    keys: keys as never,
    reader: reader as never,
    sequence: 7,
    bootstrap,
  });
}
const docker = (from: BootstrapSettings['docker']) => ({ bootstrap: { ...settings().bootstrap, docker: from } });
const LEAVE_OUT = { bundle: { ...BUNDLE, secrets: 'leave-out' as const } };
const leftOut = DRAFT.files.filter(isSecretFile);
const boot = { draft: DRAFT, release: RELEASE, sequence: 7 };

const SCRIPTS: [string, string][] = [
  ['user data', dataFor()],
  ['user data without secrets', dataFor(LEAVE_OUT)],
  ['user data of a role', dataFor({ role: 'web', ssh: { ...settings().ssh, user: 'root' } })],
  ['user data that installs Docker', dataFor({}, true)],
  ["user data that installs Docker from Docker's repository", dataFor(docker('docker'), true)],
  ['boot', bootScript({ ...boot, leftOut: [] }, settings())],
  ['boot with files of the image', bootScript({ ...boot, leftOut }, settings())],
];

/** The texts between `<<'END'` and END, by what they are written to or for. */
function hereDocuments(script: string): [string, string][] {
  return [...script.matchAll(/^(.*)<<'(END\S*)'$\n([\s\S]*?)\n\2$/gm)].map(([, line = '', , text = '']) => [
    line,
    text,
  ]);
}

describe('what runs on a booting droplet', () => {
  it.each(SCRIPTS)('%s is POSIX sh', (_, script) => {
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const [line, text] of hereDocuments(script).filter(([line]) => !line.includes('.py'))) {
      const inner = spawnSync(shell, ['-n'], { input: text, encoding: 'utf8' });
      expect({ line, status: inner.status, stderr: inner.stderr }).toEqual({ line, status: 0, stderr: '' });
    }
  });

  it('has every step of a deploy, each a script of its own', () => {
    const steps = hereDocuments(SCRIPTS[5]?.[1] ?? '').map(([line]) => line.split(' ')[1]);
    expect(steps).toEqual(['lease', 'unpack', 'prepare', 'pull', 'build', 'seal', 'switch', 'health', 'confirm']);
  });

  it.skipIf(!has('shellcheck'))('passes shellcheck', { timeout: 120_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'do-deploy-'));
    const files = SCRIPTS.map(([name, script], index) => {
      const file = join(folder, `${index}-${name.replaceAll(/\W+/g, '-')}.sh`);
      writeFileSync(file, script);
      return file;
    });
    // 1091: /etc/os-release is another one here.
    const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', '-S', 'warning', '-e', 'SC1091', ...files], {
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it('is Python where it is not sh', () => {
    const programs = SCRIPTS.flatMap(([, script]) => [
      ...hereDocuments(script).flatMap(([line, text]) => (line.includes('.py') ? [text] : [])),
      ...[...script.matchAll(/exec python3 -c '([\s\S]*?)'\n/g)].map(([, text = '']) => text.replaceAll(`'\\''`, "'")),
    ]);
    expect(programs.length).toBeGreaterThan(SCRIPTS.length - 1);
    for (const program of programs) {
      const check = spawnSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: program });
      expect(String(check.stderr)).toBe('');
    }
  });
});

describe('user data', () => {
  it('fits what DigitalOcean takes', () => {
    for (const [name, script] of SCRIPTS.slice(0, 5)) {
      expect(Buffer.byteLength(script), name).toBeLessThan(MAX_USER_DATA_BYTES);
    }
  });

  it('says at its beginning what is secret in it', () => {
    const header = (text: string) => /^#!\/bin\/sh\n(#.*\n)+/.exec(text)?.[0];
    expect(header(dataFor())).toMatch(/SECRET: .*a key that reads the bucket, the key that decrypts .*, and the login/);
    expect(header(dataFor(LEAVE_OUT))).toMatch(
      /SECRET: it holds a key that reads the bucket\. [\s\S]*\/etc\/do-deploy\/shop\//,
    );
    expect(header(dataFor({ registry: undefined }))).not.toContain('login');
  });

  it("never has the deployers' keys, and only what its choice of secrets takes", () => {
    const der = privateKey.export({ format: 'der', type: 'pkcs8' });
    for (const text of [dataFor(), dataFor(LEAVE_OUT)]) {
      expect(text).not.toContain('writers-secret');
      expect(text).not.toContain(der.subarray(-32).toString('base64'));
      expect(text).not.toContain(der.subarray(-32).toString('hex'));
    }
    expect(dataFor()).toContain(keys.passphrase);
    expect(dataFor()).toContain("it'\\''s a password");
    expect(dataFor(LEAVE_OUT)).not.toContain(keys.passphrase);
    expect(dataFor(LEAVE_OUT)).not.toContain('a password');
  });

  it('installs Docker only where that is asked, on the systems for which bootstrap knows how', () => {
    expect(dataFor()).not.toContain('apt');
    const systems = (text: string) => [...text.matchAll(/^'(\w+ \w+)'\)$/gm)].map(([, system]) => system);
    expect(systems(dataFor({}, true)), 'Debian 12 has no compose 2').toEqual([
      'debian trixie',
      'ubuntu jammy',
      'ubuntu noble',
    ]);
    expect(systems(dataFor(docker('docker'), true))).toContain('debian bookworm');
    expect(() => dataFor(docker(false), true)).toThrow(/bootstrap.docker is false/);
  });
});

describe('a bundle', () => {
  it('is encrypted as openssl decrypts it, or has no secret files', async () => {
    const sealed = await packBundle(DRAFT, RELEASE, 7, { passphrase: keys.passphrase, settings: settings() });
    expect(sealed).toMatchObject({ encrypted: 'yes' });
    const derived = pbkdf2Sync(keys.passphrase, sealed.content.subarray(8, 16), ITERATIONS, 48, 'sha256');
    const decipher = createDecipheriv('aes-256-cbc', derived.subarray(0, 32), derived.subarray(32));
    const tar = Buffer.concat([decipher.update(sealed.content.subarray(16)), decipher.final()]);
    expect(tar.toString('latin1')).toContain('boot.sh');

    const open = await packBundle(DRAFT, RELEASE, 7, { passphrase: undefined, settings: settings() });
    expect(open).toMatchObject({ encrypted: 'no' });
    const listed = spawnSync('sh', ['-c', 'tar -xO release.tgz | tar -tz'], { input: open.content, encoding: 'utf8' });
    expect(listed.stdout.split('\n')).toEqual(
      expect.arrayContaining(['compose/docker-compose.yml', 'scripts/start-up.sh']),
    );
    expect(listed.stdout).not.toContain('config/.env');
    expect(open.content.toString('latin1')).not.toContain('app-password');
  });

  it('has another text each time: the key is used with a salt', async () => {
    const pack = () => packBundle(DRAFT, RELEASE, 7, { passphrase: keys.passphrase, settings: settings() });
    expect((await pack()).sha256).not.toBe((await pack()).sha256);
  });
});
