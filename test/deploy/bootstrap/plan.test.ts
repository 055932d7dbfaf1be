import { describe, expect, it } from 'vitest';
import type { Wanted } from '../../../src/deploy/bootstrap/action.js';
import { SUDOERS, sudoers } from '../../../src/deploy/bootstrap/actions/sudo.js';
import { ACTIONS } from '../../../src/deploy/bootstrap/actions.js';
import { FIREWALL_UNIT, firewallScript } from '../../../src/deploy/bootstrap/firewall-script.js';
import { openConnectionsCommand } from '../../../src/deploy/drain/open-connections.js';
import { trafficCommand } from '../../../src/deploy/drain/traffic-command.js';
import { encoded, FRESH, KEY, OTHER_KEY, planned, READY, RULES, type Sections } from './samples.js';

const sentences = (sections: Sections, wanted?: Partial<Wanted>) =>
  planned(sections, wanted).changes.map(({ action, sentence }) => `${action}: ${sentence}`);
const reasons = (sections: Sections, wanted?: Partial<Wanted>) =>
  planned(sections, wanted).left.map(({ sentence }) => sentence);
const scriptOf = (sections: Sections, action: string, wanted?: Partial<Wanted>) =>
  planned(sections, wanted)
    .changes.filter((change) => change.action === action)
    .flatMap(({ script }) => script)
    .join('\n');

describe('the plan of a bootstrap', () => {
  it('is everything for a fresh droplet', () => {
    expect(sentences(FRESH)).toEqual([
      'time-sync: keep the clock right by systemd-timesyncd',
      'swap: add 1 GiB of swap to 957 MiB of memory',
      'docker: install Docker Engine and the compose plugin from Debian',
      "daemon-settings: add log rotation and live-restore to Docker's settings",
      'user: create the user deploy, without a password',
      'user: let 1 key log in as deploy',
      'user: put deploy into the group docker, whose members can do what root can',
      'sudo: install sudo, and let deploy count connections as root',
      'sshd: allow no passwords over SSH, and root only with a key',
      'firewall: install iptables',
      'firewall: admit only SSH and everything from 10.108.0.0/20',
      'upgrades: install security updates every day',
    ]);
    expect(reasons(FRESH)).toEqual([]);
  });

  it('is nothing for one that is ready', () => {
    expect(planned(READY)).toEqual({ pending: [], changes: [], left: [] });
  });

  it.each(ACTIONS.map(({ name }) => name))('is only the rest where %s alone is missing', (name) => {
    const { changes } = planned({ ...READY, [name]: FRESH[name] ?? [] });
    expect([...new Set(changes.map(({ action }) => action))]).toEqual([name]);
  });

  it('has no user, no group and no sudo where root deploys', () => {
    const actions = planned(FRESH, { user: undefined }).changes.map(({ action }) => action);
    expect(actions).not.toContain('user');
    expect(actions).not.toContain('sudo');
  });

  it('leaves out what the project does not want', () => {
    const off = { docker: false, firewall: false, hardenSsh: false, unattendedUpgrades: false, swap: false } as const;
    const actions = planned(FRESH, { ...off, dockerGroup: false }).changes.map(
      ({ action, sentence }) => `${action} ${sentence}`,
    );
    expect(actions.map((one) => one.split(' ')[0])).toEqual(['time-sync', 'user', 'user', 'sudo']);
    expect(actions.join()).not.toContain('group docker');
  });
});

describe('a droplet that cannot be bootstrapped', () => {
  const system =
    (...lines: string[]) =>
    () =>
      planned({ ...FRESH, system: lines });
  it.each([
    ['says so itself', system('refused it is a droplet of the sandbox', 'uid 0', 'id debian'), /the sandbox/],
    ['is not logged in to as root', system('refused ', 'uid 1000', 'id debian'), /not run as root/],
    ['runs another system', system('refused ', 'uid 0', 'id fedora'), /It runs fedora/],
    ['runs nothing that is known', system('refused ', 'uid 0', 'id '), /unknown system/],
  ])('%s', (_, plan, message) => {
    expect(plan).toThrow(
      expect.objectContaining({ code: 'bootstrap-refused', message: expect.stringMatching(message) }),
    );
  });
});

describe('Docker', () => {
  const debian12 = {
    ...FRESH,
    system: ['refused ', 'uid 0', 'id debian', 'version 12', 'codename bookworm', 'systemd'],
  };

  it('is not taken from a Debian that has no compose plugin', () => {
    expect(() => planned(debian12)).toThrow(
      expect.objectContaining({ code: 'bootstrap-refused', hint: expect.stringContaining('docker: docker') }),
    );
    expect(sentences({ ...debian12, docker: ['compose 2.30.0', 'packages ', 'sources '] })).toContain(
      'docker: install Docker Engine from Debian',
    );
  });

  it("comes from Docker's repository, whose key is checked before it is trusted", () => {
    const script = scriptOf(debian12, 'docker', { docker: 'docker' });
    expect(script.indexOf('9DC858229FC7DD38854AE2D88D81803C0EBFCD88')).toBeGreaterThan(0);
    expect(script.indexOf('9DC858229FC7DD38854AE2D88D81803C0EBFCD88')).toBeLessThan(
      script.indexOf('/etc/apt/keyrings/'),
    );
    expect(script).toContain("'URIs: https://download.docker.com/linux/debian'");
    expect(script).toContain('bookworm');
  });

  it('comes from a repository that an administrator has set up, without a second one', () => {
    const docker = ['packages ', 'sources https://download.docker.com'];
    const script = scriptOf({ ...debian12, docker }, 'docker', { docker: 'docker' });
    expect(script).not.toContain('keyrings');
    expect(script).toContain('docker-ce');
  });

  it('gets the compose plugin from where it came itself', () => {
    const installed = (name: string) => ['client 29.0.1', 'server 29.0.1', `packages ${name} installed`, 'sources '];
    expect(sentences({ ...READY, docker: installed('docker-ce') })).toEqual([
      "docker: install the compose plugin from Docker's repository",
    ]);
    expect(sentences({ ...READY, docker: installed('docker.io') }, { docker: 'docker' })).toEqual([
      'docker: install the compose plugin from Debian',
    ]);
  });
});

describe('Docker that the project does not want touched', () => {
  it.each([
    ['is not installed', [], 'not installed'],
    ['does not run', ['client 26.1.5', 'compose 2.26.1'], 'not running'],
  ])('%s, and that is said', (_, docker, reason) => {
    expect(sentences({ ...READY, docker }, { docker: false })).toEqual([]);
    expect(reasons({ ...READY, docker }, { docker: false })).toEqual([expect.stringContaining(reason)]);
  });
});

describe("Docker's settings", () => {
  const settings = (file: string | undefined, ...more: string[]) => ({
    ...READY,
    'daemon-settings': [...(file === undefined ? [] : [`file ${encoded(file)}`]), ...more],
  });
  const written = (sections: Sections) => {
    const found = /printf %s '([\s\S]*?)' >"\$fresh"/.exec(scriptOf(sections, 'daemon-settings'));
    return JSON.parse(found?.[1] ?? 'null');
  };

  it('keep every key that is there', () => {
    const own = { 'insecure-registries': ['10.0.0.1:5000'], 'log-opts': { 'max-file': '7' }, bip: '172.26.0.1/16' };
    expect(written(settings(JSON.stringify(own)))).toEqual({
      ...own,
      'log-driver': 'json-file',
      'log-opts': { 'max-size': '10m', 'max-file': '7' },
      'live-restore': true,
    });
  });

  it('get no options that their log driver does not know', () => {
    expect(written(settings('{"log-driver":"journald"}'))).toEqual({ 'log-driver': 'journald', 'live-restore': true });
  });

  it('are left alone where they are no JSON, and live-restore where it is off or a swarm runs', () => {
    expect(reasons(settings('{ // mine'))).toEqual([expect.stringContaining('no JSON')]);
    expect(sentences(settings('{ // mine'))).toEqual([]);
    const full = '"log-opts":{"max-size":"1m"}';
    expect(reasons(settings(`{${full},"live-restore":false}`))).toEqual([expect.stringContaining('live-restore')]);
    expect(sentences(settings(`{${full},"live-restore":false}`))).toEqual([]);
    expect(sentences(settings(`{${full}}`, 'swarm active'))).toEqual([]);
  });

  it('say that log rotation has to wait where containers run', () => {
    const waits = (running: number) =>
      sentences(settings(undefined, `running ${running}`))
        .join()
        .includes('after its next restart');
    expect([waits(0), waits(3)]).toEqual([false, true]);
  });
});

describe('the user that deploys', () => {
  const user = (root: string, own?: string) => ({
    ...READY,
    user: [
      'passwd deploy:x:1000:1000::/home/deploy:/bin/bash',
      'groups deploy docker',
      `rootKeys ${encoded(root)}`,
      ...(own === undefined ? [] : [`keys ${encoded(own)}`]),
    ],
  });
  const added = (sections: Sections, wanted?: Partial<Wanted>) =>
    planned(sections, wanted).changes.map(({ stdin }) => stdin);

  it('gets the keys that are missing, by standard input only', () => {
    const { changes } = planned(user(`${KEY}\n${OTHER_KEY}\n`, `no-pty ${KEY}\n`));
    expect(changes.map(({ stdin }) => stdin)).toEqual([`${OTHER_KEY}\n`]);
    expect(changes.flatMap(({ script }) => script).join('\n')).not.toContain('BBBBBB');
  });

  it('gets those that the project names instead of those of root', () => {
    expect(added(user(`${KEY}\n`), { keys: [OTHER_KEY] })).toEqual([`${OTHER_KEY}\n`]);
  });

  it('gets no key that only prints a notice', () => {
    const notice = `no-port-forwarding,command="echo 'Please login as the user \\"debian\\"'" ${OTHER_KEY}`;
    expect(added(user(`${notice}\n${KEY}\n`))).toEqual([`${KEY}\n`]);
  });

  it('is not made where no key could log in', () => {
    expect(() => planned({ ...FRESH, user: [`rootKeys ${encoded('# none\n')}`] })).toThrow(
      expect.objectContaining({ code: 'bootstrap-refused', hint: expect.stringContaining('authorized_keys') }),
    );
  });

  it('may run exactly the commands of a drain as root', () => {
    const ports = [80, 3000].map((container) => ({ host: container, container, pid: 4242 }));
    const [, , counters, sockets] = sudoers('deploy').split('\n');
    expect(trafficCommand(ports, true).script).toContain(`$as_root ${counters?.replace(/^.*\/usr\/sbin\//, '')} `);
    // sudo compares the arguments, joined by blanks, with what is left when the backslashes are gone.
    const pattern = new RegExp(sockets?.replace(/^.*nsenter /, '').replaceAll(/\\([,:=])/g, '$1') ?? '');
    const nsenter = /\$as_root nsenter (.*?) 2>/.exec(openConnectionsCommand(ports).script)?.[1]?.replaceAll("'", '');
    expect(nsenter).toMatch(pattern);
    expect('-t 1 -n sh -c id').not.toMatch(pattern);
    expect('-t 1 -n ss -tinH state established ( sport = :80 ) -K').not.toMatch(pattern);
  });
});

describe('what an administrator has', () => {
  it.each([
    ['sudo', [`file ${encoded('deploy ALL=(ALL) ALL\n')}`, 'program /usr/sbin/visudo'], SUDOERS],
    ['sshd', [...(FRESH.sshd ?? []), `file ${encoded('PasswordAuthentication yes\n')}`], '00-do-deploy.conf'],
    ['sshd', ['settings passwordauthentication yes'], 'does not include'],
    ['firewall', [...(FRESH.firewall ?? []), `unit ${encoded('[Unit]\n')}`], FIREWALL_UNIT],
    ['firewall', [...(FRESH.firewall ?? []), 'nftables "firewall-backend": "nftables"'], 'nftables'],
    ['swap', ['memory 957', 'free 20000', 'filesystem btrfs'], 'file system'],
    ['swap', ['memory 957', 'free 900', 'filesystem ext4'], 'no room'],
    [
      'upgrades',
      [
        'package installed',
        'periodic ',
        `file ${encoded('// mine, for do-deploy\n\n// Written by do-deploy bootstrap')}`,
      ],
      'upgrades',
    ],
  ])('of %s is left alone, and said (%#)', (name, lines, reason) => {
    const plan = planned({ ...READY, [name]: lines });
    expect(plan.changes).toEqual([]);
    expect(plan.left).toEqual([expect.objectContaining({ action: name, sentence: expect.stringContaining(reason) })]);
  });

  it('in INPUT stays: then only ports of containers are guarded', () => {
    const ufw = [
      'iptables /usr/sbin/iptables',
      'input -P INPUT DROP',
      'input -A INPUT -j ufw-before-input',
      'network 10.108.0.5 10.108.0.0/20',
      'port 22',
    ];
    const plan = planned({ ...READY, firewall: ufw });
    expect(plan.changes.map(({ sentence }) => sentence)).toEqual([
      'admit only connections to published ports from 10.108.0.0/20',
    ]);
    expect(plan.left).toEqual([expect.objectContaining({ action: 'firewall' })]);
    expect(scriptOf({ ...READY, firewall: ufw }, 'firewall')).not.toContain('-A DO-DEPLOY-HOST');
  });
});

describe('the firewall', () => {
  it('admits whom the project names, and a network balancer’s clients to its ports', () => {
    expect(
      sentences(
        { ...READY, firewall: FRESH.firewall ?? [] },
        { firewall: { from: ['10.0.0.0/8', 'fd00::/8'], open: [443] }, openPorts: [80] },
      ),
    ).toEqual([
      'firewall: install iptables',
      'firewall: admit only SSH, everything from 10.0.0.0/8 and fd00::/8 and ports 80 and 443 from everywhere',
    ]);
  });

  it('admits everybody to published ports where no balancer is in front, unless the project says which', () => {
    const single = { isPublic: true, privateAddress: undefined };
    expect(sentences({ ...READY, firewall: ['iptables /usr/sbin/iptables'] }, single)).toEqual([
      'firewall: admit only SSH and published ports from everywhere',
    ]);
    expect(scriptOf(READY, 'firewall', single)).toContain('--ctstate DNAT -j RETURN');
    const narrowed = { ...single, firewall: { open: [443] } };
    expect(sentences(READY, narrowed)).toEqual(['firewall: admit only SSH and port 443 from everywhere']);
    expect(scriptOf(READY, 'firewall', narrowed)).toContain('--ctstate DNAT -j DROP');
  });

  it('is changed alone, once iptables is there', () => {
    const [install, change] = planned({ ...READY, firewall: FRESH.firewall ?? [] }).changes;
    expect(install).toMatchObject({ sentence: 'install iptables', usesApt: true });
    expect(install).not.toHaveProperty('undo');
    expect(change?.script.join()).not.toContain('apt');
  });

  it('is refused where nobody could reach the app', () => {
    expect(() => planned(READY, { privateAddress: undefined })).toThrow(
      expect.objectContaining({ code: 'bootstrap-refused', hint: expect.stringContaining('open: [80, 443]') }),
    );
  });

  it('keeps every port of sshd open, and that of this session', () => {
    const script = firewallScript({ ...RULES, ssh: [22, 2222] });
    for (const port of [22, 2222])
      expect(script.match(new RegExp(`-A DO-DEPLOY-HOST -p tcp -m tcp --dport ${port} -j RETURN`, 'g'))).toHaveLength(
        2,
      );
  });

  it('has ranges of IPv6 only in its rules', () => {
    const script = firewallScript({ ...RULES, from: ['10.0.0.0/8', 'fd00::/8'] });
    const [rules4 = '', rules6 = ''] = script.split('rules6()');
    expect([rules4.includes('fd00::/8'), rules6.includes('10.0.0.0/8')]).toEqual([false, false]);
    expect([rules4.includes('10.0.0.0/8'), rules6.includes('fd00::/8')]).toEqual([true, true]);
  });
});
