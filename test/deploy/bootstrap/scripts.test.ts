/** The scripts of a bootstrap, by a real shell: what they are written in, and those that need no droplet. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOCKER_KEY_FINGERPRINT, verifyKey } from '../../../src/deploy/bootstrap/actions/docker.js';
import { ACTIONS } from '../../../src/deploy/bootstrap/actions.js';
import { changeCommand, type NamedChange } from '../../../src/deploy/bootstrap/change-command.js';
import { factsCommand, NO_BOOTSTRAP_VARIABLE } from '../../../src/deploy/bootstrap/facts-command.js';
import { firewallScript, UNIT } from '../../../src/deploy/bootstrap/firewall-script.js';
import {
  keepCommand,
  settleCommand,
  takeBackCommand,
  undoByHand,
} from '../../../src/deploy/bootstrap/guard-commands.js';
import { PENDING_GUARDS } from '../../../src/deploy/bootstrap/guards.js';
import { isOwn, writeLines } from '../../../src/deploy/bootstrap/own-files.js';
import { Read, readFile } from '../../../src/deploy/bootstrap/read.js';
import { aptHolderCommand, cloudInitCommand } from '../../../src/deploy/bootstrap/wait-commands.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { encoded, everyChange, planned, READY, WANTED } from './samples.js';

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const shell = has('dash') ? 'dash' : 'sh';
const rules = { ssh: [22], from: ['10.0.0.0/8', 'fd00::/8'], open: [443], openPublished: false, onlyContainers: false };

const SCRIPTS: [string, string][] = [
  ['facts', factsCommand(WANTED).script],
  ['apt-lock', aptHolderCommand().script],
  ['cloud-init', cloudInitCommand().script],
  ['keep', keepCommand('sshd').script],
  ['take back', takeBackCommand('sshd').script],
  ['settle', settleCommand().script],
  ['firewall', firewallScript(rules)],
  ['firewall of a public droplet', firewallScript({ ...rules, openPublished: true })],
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

  it('a guarded change that the minute overtook is taken back as a whole, and fails', () => {
    const script = [
      `echo new >${folder}/file`,
      'ln -s undo "$guard/decided"',
      'sh -eu "$guard/undo"',
      `echo late >${folder}/file`,
    ];
    const end = run(here(changeCommand(guarded({ script }))));
    expect(end).toMatchObject({ status: 1, stderr: 'it took longer than 60 s\n' });
    expect(file()).toBe('old');
    expect(run(here(keepCommand('test'))).stdout).toBe('undone\n');
  });

  it('a guarded change that cannot be taken back is not said to be', () => {
    const broken = { undo: ['echo "no space left" >&2', 'exit 3'] };
    expect(run(here(changeCommand(guarded({ ...broken, script: ['exit 7'] }))))).toMatchObject({
      status: 7,
      stdout: 'stuck\n',
    });
    // Asked again, it is tried again.
    for (let time = 1; time <= 2; time += 1) {
      expect(run(here(takeBackCommand('test')))).toMatchObject({ status: 3, stderr: 'no space left\n' });
    }
    const settled = run(here(settleCommand()));
    expect(settled).toMatchObject({ status: 1, stderr: expect.stringContaining('test, which an earlier run') });
    expect(existsSync(join(folder, 'guard-test'))).toBe(true);
  });

  it('a guarded change of another run is not begun again', () => {
    run(here(changeCommand(guarded())));
    expect(run(here(changeCommand(guarded({ script: ['exit 7'] }))))).toMatchObject({ status: 1, stdout: '' });
    expect(file()).toBe('new');
  });

  it('an administrator can take it back by hand', () => {
    run(here(changeCommand(guarded())));
    run(undoByHand('test').replace('/run/do-deploy', folder));
    expect(file()).toBe('old');
  });

  describe('what an earlier run left', () => {
    const pending = () => run(PENDING_GUARDS.join('\n').replaceAll('/run/do-deploy', folder)).stdout;
    const settle = () => run(here(settleCommand()));

    it('undecided is taken back, once, and its minute ends without an effect', () => {
      run(here(changeCommand(guarded())));
      expect(pending()).toBe('pending test\n');
      expect(settle()).toMatchObject({ status: 0, stdout: 'test\n', stderr: '' });
      expect(file()).toBe('old');
      expect(pending()).toBe('');
      writeFileSync(join(folder, 'file'), 'later');
      expect(settle()).toMatchObject({ status: 0, stdout: '' });
      run(here(keepCommand('test')));
      expect(file()).toBe('later');
    });

    it('half taken back is taken back again', () => {
      run(here(changeCommand(guarded())));
      run(`ln -s undo ${folder}/guard-test/decided`);
      expect(pending()).toBe('pending test\n');
      expect(settle()).toMatchObject({ status: 0, stdout: '' });
      expect(file()).toBe('old');
    });

    it('kept stays, and makes room for the next change', () => {
      run(here(changeCommand(guarded())));
      run(here(keepCommand('test')));
      expect(pending()).toBe('');
      expect(settle()).toMatchObject({ status: 0, stdout: '' });
      expect(file()).toBe('new');
      expect(run(here(changeCommand(guarded())))).toMatchObject({ status: 0 });
    });

    it('and is still being made is waited for, but not for ever', () => {
      run(here(changeCommand(guarded())));
      writeFileSync(join(folder, 'guard-test', String(process.pid)), '');
      writeFileSync(join(folder, 'sleep'), `#!/bin/sh\necho >>${folder}/slept\n`, { mode: 0o755 });
      const end = run(here(settleCommand()).replace('export PATH="', `export PATH="${folder}:`));
      expect(end).toMatchObject({ status: 1, stderr: 'another bootstrap is changing test\n' });
      expect(readFileSync(join(folder, 'slept'), 'utf8')).toHaveLength(30);
      expect(file()).toBe('new');
    });

    it('is not touched on a droplet whose system is not its own', () => {
      run(here(changeCommand(guarded())));
      expect(run(here(settleCommand()), { [NO_BOOTSTRAP_VARIABLE]: 'it is shared' })).toMatchObject({ status: 0 });
      expect(file()).toBe('new');
    });
  });

  it.each([
    ['# Written by do-deploy bootstrap.\nx', true],
    ['#!/bin/sh\n# Written by do-deploy bootstrap. Run by it.\n', true],
    ['\n\n# Written by do-deploy bootstrap.\n', false],
    ['# for do-deploy\nPasswordAuthentication yes\n', false],
  ])('a file that begins with %j is do-deploy’s: %s', (content, own) => {
    expect(isOwn(content)).toBe(own);
  });

  describe("Docker's repository", () => {
    /** Runs the script with real gpg, and with programs of a test for what needs a network or root. */
    const add = (system: string[], own: 'fingerprint of the key' | 'fingerprint of Docker') => {
      const home = join(folder, 'gpg');
      const bin = join(folder, 'bin');
      for (const path of [home, bin]) mkdirSync(path, { mode: 0o700 });
      run(
        `gpg --batch --homedir ${home} --passphrase '' --quick-generate-key 'Docker <docker@docker.com>' ed25519 sign never && gpg --homedir ${home} --armor --export >${folder}/key.asc; gpgconf --homedir ${home} --kill all`,
      );
      const shown = run(`gpg --homedir ${home} --with-colons --show-keys ${folder}/key.asc`).stdout;
      const fingerprint =
        own === 'fingerprint of the key' ? (/^fpr:+([0-9A-F]{40})/m.exec(shown)?.[1] ?? '') : undefined;
      const program = (name: string, text: string) =>
        writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>${folder}/log\n${text}\n`, { mode: 0o755 });
      program('apt-get', ':');
      program('dpkg', '[ "$1" != --print-architecture ] || echo arm64');
      program('curl', `while [ "$1" != -o ]; do shift; done; cp ${folder}/key.asc "$2"`);
      for (const name of ['systemctl', 'docker']) program(name, ':');
      const facts = { ...READY, system: [...system, 'systemd'], docker: ['packages ', 'sources '] };
      const [change] = planned(facts, { docker: 'docker' }).changes;
      const script = ['set -eu', ...(change?.script ?? [])]
        .join('\n')
        .replaceAll('/etc/apt', folder)
        .replaceAll(DOCKER_KEY_FINGERPRINT, fingerprint ?? DOCKER_KEY_FINGERPRINT);
      const { status, stderr } = run(script, { PATH: `${bin}:${process.env.PATH}` });
      const sources = join(folder, 'sources.list.d/do-deploy-docker.sources');
      return { status, stderr, log: readFileSync(join(folder, 'log'), 'utf8'), sources };
    };
    beforeEach(() => mkdirSync(join(folder, 'sources.list.d')));

    it.skipIf(!has('gpg')).each([
      ['Debian 12', ['refused ', 'uid 0', 'id debian', 'version 12', 'codename bookworm'], 'debian', 'bookworm'],
      ['Ubuntu 24.04', ['refused ', 'uid 0', 'id ubuntu', 'version 24.04', 'codename noble'], 'ubuntu', 'noble'],
    ])('of %s is added with its key, and then Docker is installed', { timeout: 60_000 }, (_, system, id, codename) => {
      const { status, stderr, log, sources } = add(system, 'fingerprint of the key');
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(readFileSync(sources, 'utf8')).toBe(
        [
          '# Written by do-deploy bootstrap.',
          'Types: deb',
          `URIs: https://download.docker.com/linux/${id}`,
          `Suites: ${codename}`,
          'Components: stable',
          `Signed-By: ${folder}/keyrings/do-deploy-docker.asc`,
          'Architectures: arm64',
          '',
        ].join('\n'),
      );
      expect(isOwn(readFileSync(sources, 'utf8'))).toBe(true);
      expect(readFileSync(join(folder, 'keyrings/do-deploy-docker.asc'), 'utf8')).toContain('PUBLIC KEY');
      const steps = log.split('\n').filter((line) => /^(curl|apt-get .*(update|install))/.test(line));
      expect(steps.map((line) => line.replace(/^(\S+) .* (update|install .*|https:.*)$/, '$1 $2'))).toEqual([
        'apt-get update',
        'apt-get install ca-certificates curl gpg',
        `curl https://download.docker.com/linux/${id}/gpg`,
        'apt-get update',
        'apt-get install docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin iptables',
      ]);
    });

    it.skipIf(!has('gpg'))('with another key is not added', { timeout: 60_000 }, () => {
      const system = ['refused ', 'uid 0', 'id ubuntu', 'version 24.04', 'codename noble'];
      const { status, stderr, log, sources } = add(system, 'fingerprint of Docker');
      expect(status).toBe(1);
      expect(stderr).toMatch(/is not Docker's: its fingerprint is [0-9A-F]{40}\n$/);
      expect(existsSync(sources)).toBe(false);
      expect(existsSync(join(folder, 'keyrings'))).toBe(false);
      expect(log).not.toContain('docker-ce');
    });

    it.skipIf(!has('gpg') || !has('apt-get'))('is what apt reads, and finds again', { timeout: 60_000 }, () => {
      const system = ['refused ', 'uid 0', 'id ubuntu', 'version 24.04', 'codename noble'];
      const { sources } = add(system, 'fingerprint of the key');
      const targets = (format: string) =>
        run(
          `apt-get indextargets --no-release-info -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=${folder}/sources.list.d --format '${format}' 'Created-By: Packages'`,
        ).stdout;
      const shown = '$(SITE) $(RELEASE) $(COMPONENT) $(ARCHITECTURE)';
      expect(targets(shown)).toContain(`https://download.docker.com/linux/ubuntu noble stable arm64\n`);
      writeFileSync(sources, `${readFileSync(sources, 'utf8')}Enabled: no\n`);
      expect(targets('$(SITE)')).toBe('');
    });
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
    const replace = (
      own: string | undefined,
      docker: { validates?: boolean; starts?: boolean; answers?: boolean },
      running = 0,
    ) => {
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
      program(
        'docker',
        `${docker.answers === false ? 'exit 1' : ':'}; [ "$1" != ps ] || { ${running > 0 ? 'echo 0123456789ab' : ':'}; exit 0; }; ${docker.starts === false ? 'exit 1' : ':'}`,
      );
      program('sleep', 'exit 0');
      if (own !== undefined) writeFileSync(join(folder, 'daemon.json'), own, { mode: 0o640 });
      const script = ['set -eu', ...(change?.script ?? [])].join('\n').replaceAll('/etc/docker', folder);
      const { status } = run(script, { PATH: `${folder}:${process.env.PATH}` });
      const path = join(folder, 'daemon.json');
      return {
        status,
        log: existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '',
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

    it('are not touched while Docker does not answer: what runs is not known', () => {
      expect(replace(OWN, { answers: false })).toMatchObject({ status: 1, log: '', now: OWN });
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
    const script = aptHolderCommand().script.replace(/for file in .*; do/, `for file in ${lock} ${folder}/none; do`);
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
