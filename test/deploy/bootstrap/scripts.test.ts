/** The scripts of a bootstrap, by a real shell: what they are written in, and those that need no droplet. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOCKER_KEY_FINGERPRINT, verifyKey } from '../../../src/deploy/bootstrap/actions/docker.js';
import { ACTIONS } from '../../../src/deploy/bootstrap/actions.js';
import { APT_HOLDER } from '../../../src/deploy/bootstrap/apt.js';
import {
  aptHolderCommand,
  changeCommand,
  cloudInitCommand,
  keepCommand,
  type NamedChange,
  takeBackCommand,
} from '../../../src/deploy/bootstrap/change-command.js';
import { factsCommand, NO_BOOTSTRAP_VARIABLE } from '../../../src/deploy/bootstrap/facts-command.js';
import { firewallScript, UNIT } from '../../../src/deploy/bootstrap/firewall-script.js';
import { Read, readFile, writeLines } from '../../../src/deploy/bootstrap/read.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { encoded, everyChange, planned, READY, WANTED } from './samples.js';

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const shell = has('dash') ? 'dash' : 'sh';
const rules = { ssh: [22], from: ['10.0.0.0/8', 'fd00::/8'], open: [443], onlyContainers: false };

const SCRIPTS: [string, string][] = [
  ['facts', factsCommand(WANTED).script],
  ['apt-lock', aptHolderCommand().script],
  ['cloud-init', cloudInitCommand().script],
  ['keep', keepCommand('sshd').script],
  ['take back', takeBackCommand('sshd').script],
  ['firewall', firewallScript(rules)],
  ['firewall of containers', firewallScript({ ...rules, onlyContainers: true })],
  ...everyChange().map((change, index): [string, string] => [
    `${change.action} ${index}`,
    changeCommand(change).script,
  ]),
  ...everyChange().flatMap(({ action, undo }): [string, string][] =>
    undo === undefined ? [] : [[`undo of ${action}`, `guard=/run/x\n${undo.join('\n')}`]],
  ),
];

describe('every script', () => {
  it.each(SCRIPTS)('%s is POSIX sh', (_, script) => {
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.skipIf(!has('shellcheck'))('passes shellcheck', { timeout: 120_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'do-deploy-'));
    const files = SCRIPTS.map(([name, script], index) => {
      const file = join(folder, `${index}-${name.replaceAll(' ', '-')}.sh`);
      writeFileSync(file, script);
      return file;
    });
    // `$guard` comes from outside of an undo; functions of apt are not all used; words of a list are meant to be split.
    const ignored = '--exclude=SC2154,SC2329,SC2317,SC1091,SC2015,SC2174';
    const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', '-S', 'warning', ignored, ...files], {
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it('of every action that changes something is among them', () => {
    expect(new Set(everyChange().map(({ action }) => action))).toEqual(new Set(ACTIONS.map(({ name }) => name)));
  });

  it('holds no key', () => {
    for (const change of everyChange()) expect(changeCommand(change).script).not.toContain('AAAAAAAA');
  });
});

describe('in a real shell', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'do-deploy-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (script: string, env: Record<string, string> = {}) =>
    spawnSync(shell, ['-c', script], { encoding: 'utf8', env: { PATH: process.env.PATH ?? '', ...env } });
  /** Its guards lie in the folder instead of /run, and no process waits for a minute. */
  const here = ({ script }: RemoteCommand) =>
    script.replaceAll('/run/do-deploy', folder).replace('setsid sh -c', 'true');
  const guarded = (more: Partial<NamedChange> = {}): NamedChange => ({
    kind: 'change',
    action: 'test',
    sentence: 'change a file',
    files: [],
    script: [`echo new >${folder}/file`],
    undo: [`echo old >${folder}/file`],
    ...more,
  });
  const file = () => readFileSync(join(folder, 'file'), 'utf8').trim();
  /** What the process does that waits for a minute. @param by the process of the change; by default the last one */
  const afterAMinute = (by = '$(ls "$guard" | grep -x "[0-9]*")') => {
    const [, does = ''] = /setsid sh -c '(?:sleep 60; )(.*?)' sh /.exec(changeCommand(guarded()).script) ?? [];
    expect(does).not.toBe('');
    run(`export guard=${folder}/guard-test; sh -c '${does}' sh ${by}`);
  };

  it('a guarded change stays when it is kept, whatever comes later', () => {
    expect(run(here(changeCommand(guarded())))).toMatchObject({ status: 0 });
    expect(run(here(keepCommand('test'))).stdout).toBe('kept\n');
    expect(run(here(keepCommand('test'))).stdout, 'asked again').toBe('kept\n');
    run(here(takeBackCommand('test')));
    afterAMinute();
    expect(file()).toBe('new');
  });

  it.each([
    ['by the deployer', () => run(here(takeBackCommand('test')))],
    ['by itself', () => afterAMinute()],
  ])('a guarded change is taken back %s, once, and cannot be kept then', (_, takeBack) => {
    run(here(changeCommand(guarded())));
    takeBack();
    expect(file()).toBe('old');
    writeFileSync(join(folder, 'file'), 'later');
    takeBack();
    expect(file()).toBe('later');
    expect(run(here(keepCommand('test'))).stdout).toBe('undone\n');
  });

  it('a guarded change is not taken back by what waited for an earlier one', () => {
    run(here(changeCommand(guarded())));
    afterAMinute('1');
    expect(file()).toBe('new');
    afterAMinute();
    expect(file()).toBe('old');
  });

  it('a guarded change that fails is taken back at once, with its own exit code', () => {
    expect(run(here(changeCommand(guarded({ script: [`echo half >${folder}/file`, 'exit 7'] }))))).toMatchObject({
      status: 7,
    });
    expect(file()).toBe('old');
    const second = guarded({ script: [`echo half >${folder}/file`, 'false', 'echo never reached'] });
    expect(run(here(changeCommand(second)))).toMatchObject({ status: 1, stdout: '' });
    expect(file()).toBe('old');
  });

  it('a guarded change that nobody decided on is taken back before it is made again', () => {
    run(here(changeCommand(guarded())));
    run(here(changeCommand(guarded({ script: [`cp ${folder}/file ${folder}/seen`, `echo new >${folder}/file`] }))));
    expect(readFileSync(join(folder, 'seen'), 'utf8')).toBe('old\n');
    expect(file()).toBe('new');
  });

  it('nothing is changed on a droplet whose system is not its own', () => {
    const end = run(here(changeCommand(guarded())), { [NO_BOOTSTRAP_VARIABLE]: 'it is shared' });
    expect(end.status).toBe(1);
    expect(existsSync(join(folder, 'file'))).toBe(false);
    expect(run(factsCommand(WANTED).script, { [NO_BOOTSTRAP_VARIABLE]: 'it is shared' }).stdout).toContain(
      'refused it is shared',
    );
  });

  it('files are written whole, with their mode, and read as they are', () => {
    const path = join(folder, "a 'file'");
    const content = 'line $HOME `id`\n\\n\ttab\nlast';
    expect(run(writeLines(path, content, '640').join('\n'))).toMatchObject({ status: 0 });
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual([content, 0o640]);
    expect(new Read(run(readFile('file', `"${path}"`)).stdout).file('file')).toBe(content);
    expect(run(readFile('file', `"${folder}/none"`)).stdout).toBe('');
  });

  describe("Docker's settings", () => {
    /** Runs the script with a Docker that a test decides on; `log` is what was asked of it. */
    const replace = (own: string | undefined, docker: { validates?: boolean; starts?: boolean }, running = 0) => {
      const sections = {
        ...READY,
        'daemon-settings': [...(own ? [`file ${encoded(own)}`] : []), `running ${running}`],
      };
      const [change] = planned(sections).changes;
      const program = (name: string, text: string) =>
        writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      program(
        'dockerd',
        `echo "$1" >>${folder}/log; [ "$1" != --help ] || echo --validate; ${docker.validates === false ? '[ "$1" = --help ]' : ':'}`,
      );
      program('systemctl', `echo "$*" >>${folder}/log`);
      program('docker', docker.starts === false ? 'exit 1' : 'exit 0');
      program('sleep', 'exit 0');
      if (own !== undefined) writeFileSync(join(folder, 'daemon.json'), own, { mode: 0o640 });
      const script = ['set -eu', ...(change?.script ?? [])].join('\n').replaceAll('/etc/docker', folder);
      const { status } = run(script, { PATH: `${folder}:${process.env.PATH}` });
      const path = join(folder, 'daemon.json');
      return {
        status,
        log: readFileSync(join(folder, 'log'), 'utf8'),
        now: existsSync(path) ? readFileSync(path, 'utf8') : undefined,
      };
    };
    const OWN = '{"bip": "172.26.0.1/16"}';

    it('are checked, put there with the old mode, and Docker is restarted', () => {
      const { status, log, now } = replace(OWN, {});
      expect([status, log]).toEqual([0, `--help\n--validate\nrestart docker\n`]);
      expect(JSON.parse(now ?? '')).toMatchObject({ bip: '172.26.0.1/16', 'live-restore': true });
      expect(statSync(join(folder, 'daemon.json')).mode & 0o777).toBe(0o640);
    });

    it('are only reloaded while containers run', () => {
      expect(replace(undefined, {}, 2)).toMatchObject({ status: 0, log: '--help\n--validate\nreload docker\n' });
    });

    it('are not put there when Docker refuses them', () => {
      expect(replace(OWN, { validates: false })).toMatchObject({ status: 1, log: '--help\n--validate\n', now: OWN });
    });

    it.each([OWN, undefined])('%s are back when Docker does not start with the new ones', (own) => {
      const { status, log, now } = replace(own, { starts: false });
      expect([status, now]).toEqual([1, own]);
      expect(log).toBe('--help\n--validate\nrestart docker\nrestart docker\n');
    });
  });

  it.skipIf(!existsSync('/proc/locks') || !has('perl'))('the program that holds a lock of fcntl is named', async () => {
    const lock = join(folder, 'lock');
    writeFileSync(lock, '');
    const script = APT_HOLDER.join('\n').replace(/for file in .*; do/, `for file in ${lock} ${folder}/none; do`);
    expect(run(script).stdout).toBe('');
    const pack =
      'use Fcntl; open F, "+<", $ARGV[0] or die; my $lock = pack("ssx4qqlx4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die; $| = 1; print "held\\n"; <STDIN>';
    const holder = spawn('perl', ['-e', pack, lock], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    expect(run(script).stdout).toBe('perl\n');
    holder.stdin.end();
    await once(holder, 'exit');
    expect(run(script).stdout).toBe('');
  });

  it.skipIf(!has('gpg'))('a key that is not Docker’s is refused', { timeout: 60_000 }, () => {
    const home = join(folder, 'gpg');
    mkdirSync(home, { mode: 0o700 });
    const made = run(
      `gpg --batch --homedir ${home} --passphrase '' --quick-generate-key 'Docker Release (CE deb) <docker@docker.com>' ed25519 sign never && gpg --homedir ${home} --armor --export >${folder}/key.asc; gpgconf --homedir ${home} --kill all`,
    );
    expect(made.status).toBe(0);
    const verify = verifyKey(`${folder}/key.asc`, home).join('\n');
    const refused = run(verify);
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toMatch(/its fingerprint is [0-9A-F]{40}\n/);
    // The same lines accept the key whose fingerprint they know.
    const [own = ''] = /[0-9A-F]{40}/.exec(refused.stderr) ?? [];
    expect(run(verify.replaceAll(DOCKER_KEY_FINGERPRINT, own))).toMatchObject({ status: 0 });
    writeFileSync(join(folder, 'key.asc'), '<html>a proxy</html>');
    expect(run(verify)).toMatchObject({ status: 1, stderr: expect.stringContaining('unknown') });
  });

  it.skipIf(!has('visudo'))('visudo accepts what the user may do', async () => {
    const { sudoers } = await import('../../../src/deploy/bootstrap/actions/sudo.js');
    writeFileSync(join(folder, 'sudoers'), sudoers('deploy'));
    expect(spawnSync('visudo', ['-q', '-c', '-f', join(folder, 'sudoers')], { encoding: 'utf8' })).toMatchObject({
      status: 0,
    });
  });

  it.skipIf(!has('systemd-analyze'))('systemd accepts the unit', () => {
    const unit = join(folder, 'do-deploy-firewall.service');
    writeFileSync(unit, UNIT.replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true'));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect(stderr).not.toContain('do-deploy-firewall');
    expect(status).toBe(0);
  });
});
