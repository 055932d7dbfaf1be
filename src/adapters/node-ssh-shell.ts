/** The droplets' remote shell: SSH and SFTP by node-ssh. */
import { readFile } from 'node:fs/promises';
import type { SshSettings } from '../config/settings.js';
import { ShellError } from '../errors.js';
import type { Clock, RemoteHost, RemoteShell } from '../ports.js';
import { type ClientConfig, EMPTY_CONFIG, parseClientConfig } from './ssh/client-config.js';
import { SshConnection } from './ssh/connection.js';
import type { AcceptedKeys } from './ssh/host-keys.js';
import type { Link } from './ssh/link.js';
import { type KeepAlive, openLink } from './ssh/open-link.js';
import { loginCommand, planRoute, type Stop } from './ssh/route.js';

export interface NodeSshShellOptions {
  settings: SshSettings;
  clock: Clock;
  /** What was done and how long it took, in ms; without scripts, input or secrets. */
  onTrace?: (what: string, ms: number) => void;
  /** For people: an accepted host key, an ignored part of the ssh configuration. */
  onNotice?: (message: string, droplet: string) => void;
  /** Bounds the way to each server: TCP, handshake and login waitForAll. */
  connectTimeoutMs?: number;
  keepAlive?: KeepAlive;
  /** How long after its beginning a further try to connect may start. */
  patience?: { connectMs: number; reconnectMs: number };
  /** Home folder of the one who deploys, for `~` and the usual keys. */
  home?: string;
}

const TRIES = 3;
/** Before the second try; doubles before the third. */
const BACK_OFF_MS = 500;

/** Imports node-ssh and ssh2 with the first connection. */
export function createNodeSshShell({
  settings,
  clock,
  onTrace,
  onNotice,
  connectTimeoutMs = 20_000,
  keepAlive = { intervalMs: 5000, count: 3 },
  // A first connection that ran into a time-out is not tried again: the droplet is more likely off than busy.
  patience = { connectMs: 5000, reconnectMs: 30_000 },
  home,
}: NodeSshShellOptions): RemoteShell {
  const accepted: AcceptedKeys = [];
  const told = new Set<string>();
  const notice = (message: string, droplet: string) => {
    if (told.has(message)) return;
    told.add(message);
    onNotice?.(message, droplet);
  };
  const policy = { hostKeys: settings.hostKeys, onNotice: notice };
  let config: Promise<ClientConfig> | undefined;

  async function route(host: RemoteHost): Promise<Stop[]> {
    config ??= readConfig(settings.configPath);
    try {
      const read = await config;
      for (const directive of read.unsupported) {
        notice(`${directive} in ${settings.configPath} is not supported and was ignored`, host.name);
      }
      return planRoute(host, settings, read, home);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `The ssh configuration ${settings.configPath} cannot be used: ${reason}.`;
      const hint = 'Correct it, or name another by ssh.config in config/deploy.yml.';
      throw new ShellError('unreachable', 'not-applied', message, { source: 'user', droplet: host.name, hint, cause });
    }
  }

  /** Up to three tries; a further one only while less than `patienceMs` have passed. A wrong key is final. */
  async function dial(host: RemoteHost, stops: Stop[], patienceMs: number): Promise<Link> {
    const began = clock.now();
    for (let attempt = 1; ; attempt += 1) {
      const left = patienceMs - (clock.now() - began);
      const timeoutMs = attempt === 1 ? connectTimeoutMs : Math.max(1, Math.min(connectTimeoutMs, left));
      try {
        return await openLink(stops, host.name, timeoutMs, { settings, clock, policy, accepted, keepAlive });
      } catch (error) {
        const pause = BACK_OFF_MS * 2 ** (attempt - 1);
        const late = clock.now() - began + pause >= patienceMs;
        if (!(error instanceof ShellError) || error.kind !== 'unreachable' || attempt === TRIES || late) throw error;
        onTrace?.(`ssh ${host.name}: ${error.message} Trying again`, clock.now() - began);
        await clock.sleep(pause);
      }
    }
  }

  return {
    async connect(host) {
      const stops = await route(host);
      const began = clock.now();
      const link = await dial(host, stops, patience.connectMs);
      onTrace?.(
        `ssh ${host.name}: connected to ${stops.map(({ label }) => label).join(', then ')}`,
        clock.now() - began,
      );
      const reconnect = () => dial(host, stops, patience.reconnectMs);
      return new SshConnection(link, { host, login: loginCommand(stops), clock, reconnect, onTrace });
    },
  };
}

async function readConfig(path: string | undefined): Promise<ClientConfig> {
  if (path === undefined) return EMPTY_CONFIG;
  return parseClientConfig(await readFile(path, 'utf8'));
}
