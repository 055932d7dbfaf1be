/** Two fresh droplets, Debian with root's key and nothing else: bootstrapped, deployed to as `deploy`, and shut to strangers. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firewallScript } from '../../src/deploy/bootstrap/firewall-script.js';
import { Fleet } from './lab/fleet.js';
import { must } from './lab/processes.js';
import { BRIDGE_PRIVATE, BRIDGE_PUBLIC, FRESH_ROOT } from './lab/region.js';

const FILES = [
  '/etc/ssh/sshd_config.d/00-do-deploy.conf',
  '/etc/sudoers.d/do-deploy',
  '/usr/local/lib/do-deploy/firewall',
];

/** Whether a connection is made within a second. */
function reaches(host: string, port: number, localAddress?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ...(localAddress && { localAddress }), timeout: 1_000 });
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
  });
}

describe.skipIf(!existsSync(FRESH_ROOT))('two fresh droplets', { shuffle: false, timeout: 900_000 }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    // A machine that was lent for the tests has little memory, perhaps, and its swap is that of all.
    fleet = await Fleet.start({ droplets: 2, fresh: true, user: 'deploy', settings: { bootstrap: { swap: false } } });
  });
  afterAll(() => fleet?.stop());

  const bootstrap = async (...more: string[]) => {
    const end = await fleet.run(['bootstrap', 'production', '--json', ...more]);
    const lines = end.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    return { ...end, rows: lines.find(({ type }) => type === 'bootstrap')?.rows ?? [], lines };
  };
  const actions = (rows: { changes: { action: string }[] }[]) =>
    rows.map(({ changes }) => changes.map(({ action }) => action));

  it('are shown what would change, and nothing is changed', async () => {
    const end = await bootstrap('--check');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 5 });
    const all = [
      'docker',
      'daemon-settings',
      'user',
      'user',
      'user',
      'sudo',
      'sshd',
      'firewall',
      'firewall',
      'upgrades',
    ];
    expect(actions(end.rows)).toEqual([all, all]);
    for (const machine of fleet.machines) {
      expect(await machine.sh('command -v docker || id deploy || ls /etc/ssh/sshd_config.d/*')).toMatchObject({
        stdout: '',
      });
    }
  });

  it('are not prepared while apt is busy for longer than the project waits', async () => {
    const machine = fleet.machine('web-1');
    await fleet.project.configure({ bootstrap: { swap: false, wait: '3s' } });
    // dpkg's lock is one of fcntl.
    const holder = `exec perl -e 'open F, ">>", "/var/lib/dpkg/lock-frontend"; use Fcntl; my $lock = pack("ssx4qqlx4", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLKW, $lock) or die; sleep 60'`;
    await machine.must(`(${holder}) >/dev/null 2>&1 & echo $! >/run/holder; sleep 1`);
    const end = await bootstrap('--droplet', 'web-1');
    await machine.must('kill $(cat /run/holder)');
    await fleet.project.configure({});
    expect(end).toMatchObject({ code: 1 });
    expect(end.stderr).toContain("perl, which holds apt's lock, did not end within 3 s");
  });

  it('are prepared from nothing', async () => {
    // As a droplet that was switched off while it installed a package.
    const interrupted = fleet.machine('web-1');
    await interrupted.must(`awk -v RS= '/^Package: base-files\\n/' /var/lib/dpkg/status >/var/lib/dpkg/updates/0001`);
    expect(await interrupted.sh('apt-get update 2>&1; apt-get -y install sudo 2>&1')).toMatchObject({
      code: 100,
      stdout: expect.stringContaining('dpkg was interrupted'),
    });
    const end = await bootstrap();
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    for (const machine of fleet.machines) {
      for (const file of FILES) expect(await machine.must(`head -n 2 ${file}`)).toContain('do-deploy');
      const settings = JSON.parse(await machine.must('cat /etc/docker/daemon.json'));
      expect(settings).toMatchObject({ 'live-restore': true, 'log-opts': { 'max-size': '10m' } });
      expect(settings['insecure-registries']).toHaveLength(2);
      expect(await machine.must('getent shadow deploy | cut -d : -f 2')).toBe('*\n');
      expect(await machine.must('sshd -T | grep -E "^(passwordauth|permitrootlogin)"')).toBe(
        'permitrootlogin without-password\npasswordauthentication no\n',
      );
      expect(await machine.must('dpkg -s unattended-upgrades | grep ^Status')).toBe('Status: install ok installed\n');
      // What the deploy user may do as root, and nothing else.
      const may = (command: string) =>
        machine.sh(`setpriv --reuid deploy --regid deploy --init-groups sudo -n ${command}`);
      // An administrator's own program of that name comes first where sudo usually looks.
      await machine.must('printf "#!/bin/sh\\nexit 9\\n" >/usr/local/sbin/iptables; chmod +x /usr/local/sbin/iptables');
      expect(await may('iptables -w 2 -t nat -L DOCKER -vnx')).toMatchObject({ code: 0 });
      await machine.must('rm /usr/local/sbin/iptables');
      expect(await may("nsenter -t 1 -n ss -tinH state established '( sport = :22 or sport = :80 )'")).toMatchObject({
        code: 0,
      });
      for (const other of ['iptables -F', 'nsenter -t 1 -n sh', 'nsenter -t 1 -n ss -K', 'true', 'sh -c id']) {
        expect(await may(other), other).not.toMatchObject({ code: 0 });
      }
    }
  });

  it('are not changed again', async () => {
    const before = await fleet
      .machine('web-1')
      .must('pgrep -o dockerd; iptables -S; ip6tables -S; ls -l --full-time /etc/docker /etc/ssh');
    const end = await bootstrap();
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    expect(actions(end.rows)).toEqual([[], []]);
    expect(await bootstrap('--check')).toMatchObject({ code: 0 });
    const plain = await fleet.run(['bootstrap', 'production']);
    expect(plain.stdout).toContain('web-1: nothing to do');
    expect(
      await fleet
        .machine('web-1')
        .must('pgrep -o dockerd; iptables -S; ip6tables -S; ls -l --full-time /etc/docker /etc/ssh'),
    ).toBe(before);
  });

  it('are deployed to as the user deploy, without a failed request', async () => {
    await fleet.deployFirst('v1');
    const load = fleet.load();
    const end = await fleet.deploy('v2');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.differences()).toEqual([]);
    // Connections were counted: the drain did not wait by the clock.
    expect(end.stdout).not.toContain('cannot be counted');
  });

  it('admit the balancer and SSH, and refuse a stranger, by IPv4 and IPv6, also after Docker has restarted', async () => {
    const machine = fleet.machine('web-1');
    const seen = async () => ({
      balancer: await reaches(machine.privateAddress, 80, BRIDGE_PRIVATE),
      stranger: await reaches(machine.publicAddress, 80, BRIDGE_PUBLIC),
      strangerByIpv6: await reaches('fd00:10::1', 80),
      ssh: await reaches(machine.publicAddress, 22, BRIDGE_PUBLIC),
      sshByIpv6: await reaches('fd00:10::1', 22),
    });
    const held = { balancer: true, stranger: false, strangerByIpv6: false, ssh: true, sshByIpv6: true };
    expect(await seen()).toEqual(held);
    const container = await machine.must('docker ps -q | head -n 1');
    await machine.must('service docker restart; until docker version; do sleep 0.2; done');
    expect(await machine.must('docker ps -q | head -n 1'), 'live-restore').toBe(container);
    expect(await seen()).toEqual(held);
    // Without the firewall, the same stranger comes through: it is what keeps them out.
    await machine.must('/usr/local/lib/do-deploy/firewall stop');
    expect(await seen()).toEqual({ balancer: true, stranger: true, strangerByIpv6: true, ssh: true, sshByIpv6: true });
    // As at the next start of the droplet; and bootstrap notices that it was off.
    expect(actions((await bootstrap('--check')).rows)).toEqual([['firewall'], []]);
    await machine.must('/usr/local/lib/do-deploy/firewall start');
    expect(await seen()).toEqual(held);
    expect(actions((await bootstrap('--check')).rows)).toEqual([[], []]);
  });

  it('without a balancer, admit everybody to published ports, and to no others', async () => {
    const machine = fleet.machine('web-1');
    const rules = { ssh: [22], from: [], open: [], openPublished: true, onlyContainers: false };
    const script = Buffer.from(firewallScript(rules)).toString('base64');
    await machine.must(`echo ${script} | base64 -d >/run/public; chmod +x /run/public; /run/public start`);
    const listener = `exec perl -MIO::Socket -e '$s = IO::Socket::INET->new(Listen => 5, LocalPort => 8081) or die; sleep 60'`;
    await machine.must(`(${listener}) >/dev/null 2>&1 & echo $! >/run/listener; sleep 1`);
    const seen = async () => ({
      published: await reaches(machine.publicAddress, 80, BRIDGE_PUBLIC),
      own: await reaches(machine.publicAddress, 8081, BRIDGE_PUBLIC),
      ssh: await reaches(machine.publicAddress, 22, BRIDGE_PUBLIC),
    });
    expect(await seen()).toEqual({ published: true, own: false, ssh: true });
    await machine.must('/usr/local/lib/do-deploy/firewall stop');
    expect((await seen()).own).toBe(true);
    await machine.must('kill $(cat /run/listener); /usr/local/lib/do-deploy/firewall start');
    expect(actions((await bootstrap('--check')).rows)).toEqual([[], []]);
  });

  it('take back what would have locked the deployer out', async () => {
    const machine = fleet.machine('web-2');
    await machine.must(
      'rm /etc/ssh/sshd_config.d/00-do-deploy.conf; kill -HUP $(cat /run/sshd.pid); mv /home/deploy/.ssh /home/deploy/.hidden',
    );
    // The keys are there for bootstrap, but not where sshd looks.
    await machine.must('mkdir -m 777 /home/deploy/.ssh; cp /home/deploy/.hidden/authorized_keys /home/deploy/.ssh/');
    const end = await bootstrap('--droplet', 'web-2');
    expect(end).toMatchObject({ code: 1 });
    expect(end.stderr).toContain('sshd was taken back: a second login as deploy failed');
    expect(await machine.sh('ls /etc/ssh/sshd_config.d/')).toMatchObject({ stdout: '' });
    await machine.must('rm -r /home/deploy/.ssh; mv /home/deploy/.hidden /home/deploy/.ssh');
  });

  it('take it back by themselves when the deployer is gone, or when the next one comes', async () => {
    const file = '/etc/ssh/sshd_config.d/00-do-deploy.conf';
    // The deployer is killed while the change is made, so that its second login never comes.
    const slow = '#!/bin/sh\\n[ "$1" != -t ] || sleep 3\\nexec /usr/sbin/sshd "$@"\\n';
    const killed = async (name: string) => {
      const machine = fleet.machine(name);
      await machine.must(`printf '${slow}' >/usr/local/sbin/sshd; chmod +x /usr/local/sbin/sshd`);
      await machine.must(`rm -f ${file}; kill -HUP $(cat /run/sshd.pid)`);
      const run = fleet.start(['bootstrap', 'production', '--droplet', name, '--json']);
      await run.event((event) => event.type === 'notice' && event.message.startsWith('sshd: '));
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      run.child.kill('SIGKILL');
      await run.ended;
      expect(await machine.must(`cat ${file}`)).toContain('PasswordAuthentication no');
      return machine;
    };
    const alone = await killed('web-2');
    const next = await killed('web-1');
    const check = await bootstrap('--check', '--droplet', 'web-1');
    expect(check).toMatchObject({ code: 5, rows: [{ changes: [{ action: 'sshd', files: [] }] }] });
    const end = await bootstrap('--droplet', 'web-1');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    expect(end.rows[0].changes).toMatchObject([
      { action: 'sshd', change: 'take back what an earlier run did not confirm' },
      { action: 'sshd', files: [file] },
    ]);
    await must('sleep', ['65']);
    expect(await alone.sh('ls /etc/ssh/sshd_config.d/')).toMatchObject({ stdout: '' });
    expect(await next.must(`cat ${file}`), 'the first minute is over').toContain('PasswordAuthentication no');
    for (const machine of [alone, next]) await machine.must('rm /usr/local/sbin/sshd');
    const last = await bootstrap();
    expect(last, last.stdout + last.stderr).toMatchObject({ code: 0 });
    // What the droplet has taken back itself is decided, and only done again.
    expect(actions(last.rows)).toEqual([[], ['sshd']]);
  });
});
