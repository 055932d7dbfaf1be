/** Which machines a connection passes on its way to a droplet, and how it introduces itself to each. */
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { SshSettings } from '../../config/settings.js';
import type { RemoteHost } from '../../ports.js';
import { knownName } from '../known-hosts.js';
import type { ClientConfig, HostOptions } from './client-config.js';

/** One SSH server on the way: a jump host or, last, the droplet. */
export interface Stop {
  /** For people: `web-1 (203.0.113.5:22)`. */
  label: string;
  /** On the way to the droplet only. */
  jump: boolean;
  host: string;
  port: number;
  user: string;
  identity: {
    /** Absolute paths. */
    files: string[];
    /** The files are what deploy.yml says (`ssh.key`): then each must be readable. */
    required: boolean;
    /** Offer the agent's keys only where they are those of `files`. */
    only: boolean;
  };
  /** Under this name its key stands in known_hosts. */
  knownName: string;
  /** Absolute paths; new keys go into the first. */
  knownHostsFiles: string[];
}

/** What ssh tries when nothing names a key. */
const USUAL_KEYS = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa'];

/** More hops than this are a loop in the configuration. */
const MOST_HOPS = 8;

/**
 * A value from a section about this host wins over deploy.yml, which wins over `Host *`, which wins over do-deploy's
 * defaults. Throws RangeError when jump hosts lead round in a circle.
 */
export function planRoute(host: RemoteHost, settings: SshSettings, config: ClientConfig, home = homedir()): Stop[] {
  const { specific, general } = config.lookUp([host.name, host.address]);
  const isWritten = (key: 'user' | 'port' | 'knownHostsPath') => !settings.unwritten?.includes(key);
  const target = buildStop({ ...host, jump: false }, specific, general);
  return [...jumps(specific.proxyJump ?? general.proxyJump, 0), target];

  function jumps(proxyJump: string | undefined, depth: number): Stop[] {
    if (proxyJump === undefined || proxyJump.toLowerCase() === 'none') return [];
    if (depth > MOST_HOPS) throw new RangeError(`ProxyJump of ${host.name} leads round in a circle`);
    return proxyJump.split(',').flatMap((written, index) => {
      const hop = parseHop(written.trim());
      const options = config.lookUp([hop.name]);
      const stop = buildStop({ name: hop.name, address: hop.name, jump: true }, options.specific, options.general, hop);
      // As ssh does it: only the first of a list is reached by a ProxyJump of its own; the next are reached through it.
      const own = index === 0 ? (options.specific.proxyJump ?? options.general.proxyJump) : undefined;
      return [...jumps(own, depth + 1), stop];
    });
  }

  function buildStop(
    base: { name: string; address: string; jump: boolean },
    specific: HostOptions,
    general: HostOptions,
    explicit: { user?: string; port?: number } = {},
  ): Stop {
    const { jump } = base;
    const ownUser = isWritten('user') ? settings.user : undefined;
    // The port in deploy.yml is that of the droplets.
    const ownPort = !jump && isWritten('port') ? settings.port : undefined;
    const ownKnownHosts = isWritten('knownHostsPath') ? [settings.knownHostsPath] : undefined;
    const user = explicit.user ?? specific.user ?? ownUser ?? general.user ?? settings.user;
    const port = explicit.port ?? specific.port ?? ownPort ?? general.port ?? (jump ? 22 : settings.port);
    const address = hostName(specific.hostName ?? general.hostName, base);
    const expand = (path: string) => expandPath(path, { address, name: base.name, user, port: String(port), home });
    const fromConfig = (paths: string[]) => paths.filter((path) => path.toLowerCase() !== 'none').map(expand);
    const knownHosts = fromConfig(specific.userKnownHostsFiles ?? ownKnownHosts ?? general.userKnownHostsFiles ?? []);

    const files = [
      { paths: fromConfig(specific.identityFiles), required: false },
      { paths: settings.keyPath === undefined ? [] : [expand(settings.keyPath)], required: true },
      { paths: fromConfig(general.identityFiles), required: false },
    ].find(({ paths }) => paths.length > 0) ?? { paths: USUAL_KEYS.map(expand), required: false };
    const alias = specific.hostKeyAlias ?? general.hostKeyAlias;
    return {
      label: base.name === address ? `${base.name}:${port}` : `${base.name} (${address}:${port})`,
      jump,
      host: address,
      port,
      user,
      identity: {
        files: files.paths,
        required: files.required,
        only: specific.identitiesOnly ?? general.identitiesOnly ?? false,
      },
      knownName: alias?.toLowerCase() ?? knownName(address, port),
      knownHostsFiles: knownHosts.length > 0 ? knownHosts : [expand(settings.knownHostsPath)],
    };
  }
}

/** What a person types to go the same way; keys and the like are left to their own configuration. */
export function loginCommand(stops: readonly Stop[]): string {
  const jumps = stops.filter(({ jump }) => jump).map(({ user, host, port }) => `${user}@${bracketed(host)}:${port}`);
  const over = jumps.length > 0 ? [`-J ${jumps.join(',')}`] : [];
  const target = stops.filter(({ jump }) => !jump).map(({ user, host, port }) => `-p ${port} ${user}@${host}`);
  return ['ssh', ...over, ...target].join(' ');
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function hostName(written: string | undefined, { name, address }: { name: string; address: string }): string {
  // `HostName %h` changes nothing in ssh; here %h is the droplet's name, which no resolver need know.
  if (written === undefined || written === '%h') return address;
  return written.replace(/%(.)/g, (token, letter) => ({ h: name, n: name, '%': '%' })[letter as string] ?? token);
}

function parseHop(written: string): { name: string; user?: string; port?: number } {
  const [, user, bracketed, plain, port] =
    /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?\/?$/.exec(written) ?? [];
  return {
    name: bracketed ?? plain ?? written,
    user,
    ...(port !== undefined && { port: Number(port) }),
  };
}

/** `~` and the tokens of ssh_config(5) that paths use. */
function expandPath(
  path: string,
  at: { address: string; name: string; user: string; port: string; home: string },
): string {
  const tokens: Record<string, string> = { h: at.address, n: at.name, r: at.user, p: at.port, d: at.home, '%': '%' };
  const expanded = path.replace(/%(.)/g, (token, letter: string) =>
    letter === 'u' ? userInfo().username : (tokens[letter] ?? token),
  );
  return /^~(\/|$)/.test(expanded) ? join(at.home, expanded.slice(1)) : expanded;
}
