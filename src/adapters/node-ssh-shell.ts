/** The droplets' remote shell: SSH and SFTP through node-ssh. */
import type { SshSettings } from '../config/settings.js';
import { inWords } from '../durations.js';
import { reasonOf, ShellError } from '../errors.js';
import type { Clock, OnTrace, RemoteHost, RemoteShell } from '../ports.js';
import { ClientConfig } from './ssh/client-config.js';
import { ConfigProblem } from './ssh/config-lines.js';
import { ConnectionLimited } from './ssh/connect-failure.js';
import { SshConnection } from './ssh/connection.js';
import type { AcceptedKeys } from './ssh/host-keys.js';
import type { Link } from './ssh/link.js';
import { homeFolder, localUserName } from './ssh/local-user.js';
import { loginCommand } from './ssh/login-command.js';
import { HandshakeLimits, type KeepAlive, openLink } from './ssh/open-link.js';
import { type LocalPlace, planRoute, type Stop, usesDefaultConfig } from './ssh/route.js';

export interface NodeSshShellOptions {
  settings: SshSettings;
  clock: Clock;
  /** Called with what was done and how long it took, in ms; never with scripts, input or secrets. */
  onTrace?: OnTrace;
  /** For people: an accepted host key, a line of the ssh configuration that is not followed. */
  onNotice?: (message: string, droplet: string) => void;
  /** Bounds the way to each server: TCP, handshake and login together. */
  connectTimeoutMs?: number;
  keepAlive?: KeepAlive;
  patience?: Patience;
  /** The user's home folder, for `~` and the usual keys. */
  home?: string;
  /** For `${VARIABLES}` in the ssh configuration. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Where OpenSSH keeps the configuration of the machine. */
  systemFolder?: string;
}

/** How long after the first attempt to connect a further one may start, in ms. */
export interface Patience {
  connectMs: number;
  reconnectMs: number;
  /** With a server that drops connections because it limits them; by default as with any other. */
  limitedMs?: number;
}

const ATTEMPTS = 3;
/** With a server that limits connections. */
const ATTEMPTS_IF_LIMITED = 12;
/** Before the second attempt; doubles before each further one. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 8000;

/** Imports node-ssh and ssh2 with the first connection. */
export function createNodeSshShell({
  settings,
  clock,
  onTrace,
  onNotice,
  connectTimeoutMs = 20_000,
  keepAlive = { intervalMs: 5000, count: 3 },
  // A first connection that ran into its timeout is not tried again: the droplet is more likely off than busy.
  patience = { connectMs: 5000, reconnectMs: 30_000, limitedMs: 60_000 },
  home = homeFolder(),
  env = {},
  systemFolder = '/etc/ssh',
}: NodeSshShellOptions): RemoteShell {
  const accepted: AcceptedKeys = [];
  const limits = new HandshakeLimits();
  const reported = new Set<string>();
  const notice = (message: string, droplet: string) => {
    if (reported.has(message)) return;
    reported.add(message);
    onNotice?.(message, droplet);
  };
  const place: LocalPlace = { home, localUser: localUserName(), env, systemFolder };
  let config: ClientConfig | undefined;

  function route(host: RemoteHost, user: string | undefined): Stop[] {
    try {
      config ??= new ClientConfig({
        user: settings.configPath,
        system: usesDefaultConfig(settings.configPath, home) ? `${systemFolder}/ssh_config` : undefined,
        home,
        localUser: place.localUser,
      });
      const { stops, notices } = planRoute(host, settings, config, place, user);
      for (const message of notices) notice(message, host.name);
      return stops;
    } catch (cause) {
      const reason = reasonOf(cause);
      const hint = cause instanceof ConfigProblem ? cause.hint : undefined;
      throw new ShellError('unreachable', 'not-applied', `The ssh configuration cannot be used: ${reason}.`, {
        source: 'user',
        droplet: host.name,
        hint: hint ?? "Correct it, or name another file by ssh.config in do-deploy's configuration file.",
        cause,
      });
    }
  }

  /** A wrong key is final. */
  async function dial(host: RemoteHost, stops: Stop[], patienceMs: number): Promise<Link> {
    const began = clock.now();
    let timeoutMs = connectTimeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const options = { settings, clock, onNotice: notice, accepted, keepAlive, limits };
        return await openLink(stops, host.name, timeoutMs, options);
      } catch (error) {
        if (!(error instanceof ShellError) || error.kind !== 'unreachable') throw error;
        const limited = error instanceof ConnectionLimited;
        const attempts = limited ? ATTEMPTS_IF_LIMITED : ATTEMPTS;
        const pause = pauseBefore(attempt + 1, limited);
        const elapsed = clock.now() - began;
        const left = (limited ? (patience.limitedMs ?? patienceMs) : patienceMs) - elapsed - pause;
        if (attempt === attempts || left <= 0) throw limited ? withAttempts(error, attempt, elapsed) : error;
        timeoutMs = Math.max(1, Math.min(connectTimeoutMs, left));
        onTrace?.({ kind: 'ssh', what: `ssh ${host.name}: ${error.message} Trying again`, ms: elapsed });
        await clock.sleep(pause);
      }
    }
  }

  return {
    async connect(host, { user } = {}) {
      const stops = route(host, user);
      const began = clock.now();
      const link = await dial(host, stops, patience.connectMs);
      const what = `ssh ${host.name}: connected to ${stops.map(({ label }) => label).join(', then ')}`;
      onTrace?.({ kind: 'ssh', what, ms: clock.now() - began });
      const reconnect = () => dial(host, stops, patience.reconnectMs);
      return new SshConnection(link, { host, login: loginCommand(stops), clock, reconnect, onTrace });
    },
  };
}

/** With jitter where the server limits connections: those of a whole fleet come back at different times. */
function pauseBefore(attempt: number, limited: boolean): number {
  const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 2));
  return limited ? pause * (0.5 + Math.random()) : pause;
}

function withAttempts(error: ShellError, attempts: number, ms: number): ShellError {
  if (attempts < 2) return error;
  const { kind, outcome, droplet, hint, cause } = error;
  const message = `${error.message} Tried ${attempts} times in ${inWords(ms)}.`;
  return new ShellError(kind, outcome, message, { droplet, hint, cause });
}
