/**
 * A droplet: a separate machine as far as sshd, Docker and compose are concerned. It has its own namespaces for network,
 * processes, mounts and host name, and private /run, /root, /home, /etc, /tmp, /var/log and /var/lib/docker.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ended, end, keep, must, run, until } from './processes.js';
import { BRIDGE, CGROUP, COMPOSE, ENGINE, FRESH_ROOT, REGISTRIES } from './region.js';

export interface MachineOptions {
  name: string;
  publicAddress: string;
  privateAddress: string;
  /** A new folder for its files. */
  folder: string;
  /** A line of authorized_keys. */
  authorizedKey: string;
  /** Size of Docker's disk. Default: the host's disk. */
  diskMegabytes?: number;
  /** Size of root's ~/do-deploy. Default: the host's disk. */
  homeMegabytes?: number;
  /** Runs Debian 13's Docker with containerd's image store instead of this host's Docker. */
  containerdStore?: boolean;
  /** Debian with sshd for root and nothing else. */
  fresh?: boolean;
}

const BOOT_FRESH = join(import.meta.dirname, 'boot-fresh.sh');
const BOOT = join(import.meta.dirname, 'boot-droplet.sh');

/** The tests' environment is not passed to a droplet. */
const CLEAN = ['env', '-i', 'HOME=/root', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];

const SSHD_CONFIG = `Port 22
HostKey /etc/ssh/host_ed25519
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile /run/sshd.pid
Subsystem sftp internal-sftp
LogLevel VERBOSE
`;

export class Machine {
  readonly name: string;
  readonly publicAddress: string;
  readonly privateAddress: string;
  /** Its public host key: `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  readonly #folder: string;
  readonly #process: ChildProcess;
  /** Pid of its first process outside of its namespaces: the way into them. */
  readonly #inside: string;

  private constructor(options: MachineOptions, process: ChildProcess, inside: string, hostKey: string) {
    this.name = options.name;
    this.publicAddress = options.publicAddress;
    this.privateAddress = options.privateAddress;
    this.hostKey = hostKey;
    this.#folder = options.folder;
    this.#process = process;
    this.#inside = inside;
  }

  /** Docker may need some more seconds: see `ready`. */
  static async start(options: MachineOptions): Promise<Machine> {
    const { folder, name, publicAddress, privateAddress, diskMegabytes = 0, homeMegabytes = 0 } = options;
    const ssh = join(folder, 'ssh');
    await mkdir(ssh, { recursive: true, mode: 0o700 });
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(ssh, 'host_ed25519')]);
    await writeFile(join(ssh, 'sshd_config'), SSHD_CONFIG);
    await writeFile(join(ssh, 'authorized_keys'), `${options.authorizedKey}\n`, { mode: 0o600 });
    const hostKey = (await readFile(join(ssh, 'host_ed25519.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');

    const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'];
    const fresh = [BOOT_FRESH, folder, name, publicAddress, privateAddress, FRESH_ROOT, CGROUP, ...REGISTRIES];
    const usual = [
      BOOT,
      folder,
      name,
      publicAddress,
      privateAddress,
      COMPOSE,
      CGROUP,
      String(diskMegabytes),
      String(homeMegabytes),
      options.containerdStore ? ENGINE : '',
      ...REGISTRIES,
    ];
    const program = ['docker-init', '--', 'bash', ...(options.fresh ? fresh : usual)];
    const process = keep('unshare', [...namespaces, '--', ...CLEAN, ...program], join(folder, 'boot.log'));
    try {
      const inside = await firstChild(process);
      const machine = new Machine(options, process, inside, hostKey);
      await machine.#connectToBridge();
      return machine;
    } catch (error) {
      await end(process, 'SIGKILL');
      throw error;
    }
  }

  /** Resolves when sshd answers. */
  async reachable(): Promise<void> {
    await until(`sshd on ${this.name}`, 30_000, async () => (await this.sh('ss -Hltn sport = :22')).stdout !== '');
  }

  /** Resolves when sshd and Docker answer. */
  async ready(): Promise<void> {
    await this.reachable();
    // While Docker starts, its socket accepts connections that are never answered.
    const answers = 'timeout 2 docker version';
    await until(`Docker on ${this.name}`, 60_000, async () => (await this.sh(answers)).code === 0);
  }

  /** Runs a script on it as root, not over SSH. */
  sh(script: string): Promise<Ended> {
    const into = ['--target', this.#inside, '--net', '--mount', '--pid', '--uts', '--ipc'];
    return run('nsenter', [...into, '--', ...CLEAN, 'sh', '-c', `cd; ${script}`]);
  }

  /** Like `sh`, but throws for an exit code other than 0. */
  async must(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.sh(script);
    if (code !== 0) throw new Error(`on ${this.name}: ${script}\nended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Like a power cut: kills all its processes, and thereby ends its namespaces. */
  async stop(): Promise<void> {
    await end(this.#process, 'SIGKILL');
    await until(`the end of ${this.name}`, 30_000, async () => !existsSync(`/proc/${this.#inside}`));
    // The kernel would remove it later, with the namespace; the next droplet of this name needs it now.
    await run('ip', ['link', 'delete', this.#cable]);
  }

  get logs(): string {
    return join(this.#folder, 'log');
  }

  async #connectToBridge(): Promise<void> {
    await must('ip', ['link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#inside]);
    await must('ip', ['link', 'set', this.#cable, 'master', BRIDGE, 'up']);
  }

  /** The bridge's end of its virtual cable; names of interfaces have at most 15 characters. */
  get #cable(): string {
    return `veth-${this.name}`.slice(0, 15);
  }
}

async function firstChild(process: ChildProcess): Promise<string> {
  let found = '';
  await until('a process in its namespaces', 10_000, async () => {
    found = (await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')).trim();
    return found !== '';
  });
  return found;
}
