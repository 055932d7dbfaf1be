/** What a region writes into its folder, for `do-deploy` and people to find it: all that an ordinary environment has. */
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKeyPair } from './droplets/keys.js';
import type { DropletRecord } from './records.js';

/** A droplet as ssh has to know it. */
export interface SshTarget {
  record: DropletRecord;
  user: string;
  port: number;
  hostKey: string;
}

export class RegionFiles {
  readonly folder: string;
  readonly sshConfig: string;
  readonly knownHosts: string;
  readonly clientKey: string;
  readonly #info: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.sshConfig = join(folder, 'ssh_config');
    this.knownHosts = join(folder, 'known_hosts');
    this.clientKey = join(folder, 'id_ed25519');
    this.#info = join(folder, 'sandbox.json');
  }

  /**
   * Makes the folder, or clears away the droplets of an earlier region in it. Refuses a folder that a running region
   * uses, or that has droplets of something else.
   */
  static async open(folder: string): Promise<RegionFiles> {
    const files = new RegionFiles(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { pid } = (await files.#readInfo()) ?? {};
    if (pid !== undefined && isAlive(pid)) throw new Error(`a sandbox is running in ${folder} (process ${pid})`);
    const droplets = files.dropletFolder('');
    if ((await exists(droplets)) && !(await exists(files.#info))) {
      throw new Error(`${droplets} was not written by a sandbox: choose another folder`);
    }
    await rm(droplets, { recursive: true, force: true });
    await rm(files.clientKey, { force: true });
    return files;
  }

  dropletFolder(name: string): string {
    return join(this.folder, 'droplets', name);
  }

  /** A new key to log in to the droplets. Returns the public one, as a line of authorized_keys. */
  async makeClientKey(): Promise<string> {
    const pair = makeKeyPair('sandbox');
    await writeFile(this.clientKey, pair.private, { mode: 0o600 });
    await writeFile(`${this.clientKey}.pub`, `${pair.public}\n`);
    return pair.public;
  }

  /** Both files anew, for all the droplets that there are. */
  async writeSshFiles(targets: SshTarget[]): Promise<void> {
    const hosts = targets.map(({ record, user, port }) =>
      [
        `Host ${record.name} ${record.publicAddress} ${record.privateAddress}`,
        '  HostName 127.0.0.1',
        `  Port ${port}`,
        `  User ${user}`,
        `  IdentityFile "${this.clientKey}"`,
        '  IdentitiesOnly yes',
        `  UserKnownHostsFile "${this.knownHosts}"`,
        '',
      ].join('\n'),
    );
    const keys = targets.map(({ port, hostKey }) => `[127.0.0.1]:${port} ${hostKey}\n`);
    await writeFile(this.sshConfig, hosts.join('\n'));
    await writeFile(this.knownHosts, keys.join(''));
  }

  /** `sandbox.json`. With the token, so for the owner alone. */
  async writeInfo(info: Record<string, unknown>): Promise<void> {
    await writeFile(this.#info, `${JSON.stringify({ pid: process.pid, ...info }, null, 2)}\n`, { mode: 0o600 });
    await chmod(this.#info, 0o600);
  }

  /** The folder stays, to be looked at; a later region may use it. */
  async close(): Promise<void> {
    await writeFile(this.#info, `${JSON.stringify({ ended: new Date().toISOString() })}\n`);
  }

  async #readInfo(): Promise<{ pid?: number } | undefined> {
    try {
      return JSON.parse(await readFile(this.#info, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
