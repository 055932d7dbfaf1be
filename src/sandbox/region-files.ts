/** What a region writes into its folder, for `do-deploy` and people to find it: all that an ordinary environment has. */
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeployError } from '../errors.js';
import { makeKeyPair } from './droplets/keys.js';
import type { DropletRecord } from './records.js';

/** A droplet as ssh has to know it. */
export interface SshTarget {
  record: DropletRecord;
  user: string;
  port: number;
  hostKey: string;
}

/** What sandbox.json says of a region, as far as another one asks. */
interface RegionInfo {
  pid?: number;
  control?: string;
}

/** Of a region on this machine; a busy one may need a moment. */
const ANSWERS_WITHIN_MS = 2_000;

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
    const pid = await runningRegion(await files.#readInfo());
    if (pid !== undefined) {
      const hint = `End it (Ctrl-C there, or kill ${pid}), or choose another folder: --folder FOLDER`;
      throw refusal(`A sandbox is running in ${folder} (process ${pid}).`, hint);
    }
    const droplets = files.dropletFolder('');
    if ((await exists(droplets)) && !(await exists(files.#info))) {
      throw refusal(`${droplets} was not written by a sandbox.`, 'Choose another folder: --folder FOLDER');
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

  async #readInfo(): Promise<RegionInfo | undefined> {
    try {
      return JSON.parse(await readFile(this.#info, 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/**
 * The process of the region that wrote this, if it still answers. Its number alone proves nothing: another process may
 * have it by now, as its port.
 */
async function runningRegion(info: RegionInfo | undefined): Promise<number | undefined> {
  if (info?.pid === undefined || info.control === undefined) return undefined;
  try {
    const answer = await fetch(`${info.control}/state`, { signal: AbortSignal.timeout(ANSWERS_WITHIN_MS) });
    const { pid } = (await answer.json()) as { pid?: unknown };
    return pid === info.pid ? info.pid : undefined;
  } catch {
    return undefined;
  }
}

function refusal(message: string, hint: string): DeployError {
  return new DeployError('sandbox-folder', message, { source: 'user', hint });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
