/** The files in a region's folder: what do-deploy and people need to use it like a real environment. */
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeployError } from '../errors.js';
import { makeKeyPair } from './droplets/keys.js';
import type { DropletRecord } from './records.js';

/** What ssh needs to know about a droplet. */
export interface SshTarget {
  record: DropletRecord;
  user: string;
  port: number;
  hostKey: string;
}

/** The fields of sandbox.json that another region reads. */
interface RegionInfo {
  pid?: number;
  control?: string;
}

/** Bounds the wait for the control endpoint of another region on this machine. */
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
   * Creates the folder, or removes the droplets of an earlier region in it. Throws DeployError sandbox-folder if a running
   * region uses the folder, or if its `droplets` were not written by a region.
   */
  static async open(folder: string): Promise<RegionFiles> {
    const files = new RegionFiles(folder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const pid = await runningRegion(await files.#readInfo());
    if (pid !== undefined) {
      const hint = `Stop it with Ctrl-C or \`kill ${pid}\`, or choose another folder: --folder FOLDER`;
      throw refusal(`A sandbox is already running in ${folder} (process ${pid}).`, hint);
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

  /** Writes a new key to log in to the droplets. Returns the public key as a line of authorized_keys. */
  async makeClientKey(): Promise<string> {
    const pair = makeKeyPair('sandbox');
    await writeFile(this.clientKey, pair.private, { mode: 0o600 });
    await writeFile(`${this.clientKey}.pub`, `${pair.public}\n`);
    return pair.public;
  }

  /** Writes ssh_config and known_hosts for all droplets. */
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

  /** Writes sandbox.json, readable by the owner only because it contains the token. */
  async writeInfo(info: Record<string, unknown>): Promise<void> {
    await writeFile(this.#info, `${JSON.stringify({ pid: process.pid, ...info }, null, 2)}\n`, { mode: 0o600 });
    await chmod(this.#info, 0o600);
  }

  /** Marks the region as ended. The folder is kept; a later region may reuse it. */
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
 * The process id of the region that wrote this, if it still answers. The id or the port alone proves nothing: another
 * process may have it now.
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
