/** Which servers a connection passes on its way to a droplet, and how it introduces itself to each. */
import type { SshSettings } from '../../config/settings.js';
import type { RemoteHost } from '../../ports.js';
import { knownName } from '../known-hosts.js';
import { type AlgorithmChoice, chooseAlgorithms } from './algorithms.js';
import type { ClientConfig, Setting } from './client-config.js';
import { ConfigProblem } from './config-lines.js';
import { type ExpansionScope, expandPath, expandTokens } from './expand.js';
import { type HostOptions, readOptions, refuseUnsupported, unknownSettings } from './host-options.js';
import type { ByHand } from './login-command.js';

/** One SSH server on the way: a jump host or, at the end, the droplet. */
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
    /** The files come from deploy.yml (`ssh.key`): each must be readable. */
    required: boolean;
    /** Offer only those of the agent's keys that belong to `files`. */
    only: boolean;
    /** The agent's socket; absent without an agent. */
    agentSocket?: string;
    /** Certificates that the configuration names, which cannot be used. */
    certificates: string[];
  };
  hostKey: {
    /** Its name in known_hosts. */
    name: string;
    /** Absolute paths; new keys go into the first. */
    files: string[];
    /** Read only: those of the machine. */
    globalFiles: string[];
    /** Files of keys that are never accepted. */
    revokedFiles: string[];
    /** Why a key that is in no file is refused, as a part of a sentence; absent: it is accepted and remembered. */
    strictBecause?: string;
    /** Write new names as hashes; absent: as the file has them already. */
    hashed?: boolean;
  };
  algorithms: AlgorithmChoice;
  /** The command whose input and output stand in for a TCP connection; `place` is where it is configured. */
  proxyCommand?: { line: string; place: string };
  connectTimeoutMs?: number;
  /** Of the TCP connection. */
  family?: 4 | 6;
  localAddress?: string;
  /** What ssh needs besides host, user and port to do the same by hand. */
  byHand: ByHand;
}

/** This machine, as far as it matters. */
export interface LocalPlace {
  home: string;
  localUser: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Where OpenSSH keeps the files of the machine: /etc/ssh. */
  systemFolder: string;
}

export interface Route {
  stops: Stop[];
  /** About lines of the configuration that are not followed. */
  notices: string[];
}

/** What ssh tries when no key is named. */
const DEFAULT_KEYS = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa'];

/** More hops than this are a loop in the configuration. */
const MAX_HOPS = 8;

/** What a host or user may contain before it gets into the command line of a ProxyCommand. */
const SAFE_WORD = /^[A-Za-z0-9_][A-Za-z0-9._:%@+-]*$/;

/**
 * A value from a section about this host takes precedence over deploy.yml, which takes precedence over `Host *`, which
 * takes precedence over do-deploy's defaults. Throws ConfigProblem, or RangeError when jump hosts form a loop.
 * @param user on the droplet, whatever is configured
 */
export function planRoute(
  host: RemoteHost,
  settings: SshSettings,
  config: ClientConfig,
  place: LocalPlace,
  user?: string,
): Route {
  const notices = new Set<string>();
  const isWritten = (key: 'user' | 'port' | 'knownHostsPath') => !settings.unwritten?.includes(key);
  const target = lookUp([host.name, host.address]);
  const stop = withPlace(target.found, () => buildStop({ ...host, jump: false }, target, { user }));
  const before = jumps(target.proxy, 0);
  const stops = [...before, before.length > 0 ? { ...stop, proxyCommand: undefined } : stop];
  return { stops, notices: [...notices] };

  function lookUp(names: readonly string[]): Looked {
    const found = config.lookUp(names, settings.user);
    for (const { rest: _, keyword, place: at } of unknownSettings(found)) {
      notices.add(`${at}: ${keyword} is not known to do-deploy and was ignored`);
    }
    const of = (scope: Setting['scope']) => found.filter((setting) => setting.scope === scope);
    const specific = [...of('name'), ...of('address')];
    const general = of('general');
    refuseUnsupported([...specific, ...general]);
    return {
      found,
      specific: readOptions(specific),
      general: readOptions(general),
      proxy: readOptions([...specific, ...general]).proxy,
    };
  }

  function jumps(proxy: HostOptions['proxy'], depth: number): Stop[] {
    if (proxy === undefined || !('jump' in proxy)) return [];
    if (depth > MAX_HOPS) throw new RangeError(`ProxyJump of ${host.name} forms a loop`);
    return proxy.jump.split(',').flatMap((written, index) => {
      const hop = parseHop(written.trim());
      const options = lookUp([hop.name]);
      const own = withPlace(options.found, () =>
        buildStop({ name: hop.name, address: hop.name, jump: true }, options, hop),
      );
      // As ssh does: only the first of a list is reached by a proxy of its own; the next ones are reached through it.
      if (index > 0) return [{ ...own, proxyCommand: undefined }];
      return [...jumps(options.proxy, depth + 1), own];
    });
  }

  function buildStop(
    base: { name: string; address: string; jump: boolean },
    { specific, general, proxy }: Looked,
    explicit: { user?: string; port?: number } = {},
  ): Stop {
    const { jump } = base;
    const ownUser = isWritten('user') ? settings.user : undefined;
    // The port in deploy.yml is that of the droplets.
    const ownPort = !jump && isWritten('port') ? settings.port : undefined;
    const ownKnownHosts = isWritten('knownHostsPath') ? [settings.knownHostsPath] : undefined;
    const defaultKnownHosts = ownKnownHosts ?? [settings.knownHostsPath, `${settings.knownHostsPath}2`];
    const user = explicit.user ?? specific.user ?? ownUser ?? general.user ?? settings.user;
    const port = explicit.port ?? specific.port ?? ownPort ?? general.port ?? (jump ? 22 : settings.port);
    const address = hostName(specific.hostName ?? general.hostName, base);
    const hostKeyAlias = specific.hostKeyAlias ?? general.hostKeyAlias;
    const scope: ExpansionScope = { ...place, address, name: base.name, hostKeyAlias, user, port };
    const paths = (written: readonly string[]) =>
      written.filter((path) => path.toLowerCase() !== 'none').map((path) => expandPath(path, scope));
    const either = <K extends keyof HostOptions>(key: K): HostOptions[K] => specific[key] ?? general[key];

    const files = [
      { paths: paths(specific.identityFiles), required: false, byHand: true },
      { paths: settings.keyPath === undefined ? [] : [settings.keyPath], required: true, byHand: true },
      { paths: paths(general.identityFiles), required: false, byHand: false },
    ].find((one) => one.paths.length > 0) ?? {
      paths: DEFAULT_KEYS.map((path) => expandPath(path, scope)),
      required: false,
      byHand: false,
    };
    const knownHosts = paths(specific.userKnownHostsFiles ?? ownKnownHosts ?? general.userKnownHostsFiles ?? []);
    const globalKnownHosts = either('globalKnownHostsFiles') ?? [
      `${place.systemFolder}/ssh_known_hosts`,
      `${place.systemFolder}/ssh_known_hosts2`,
    ];
    const timeout = either('connectTimeoutSeconds');
    return {
      label: base.name === address ? `${base.name}:${port}` : `${base.name} (${address}:${port})`,
      jump,
      host: address,
      port,
      user,
      identity: {
        files: files.paths,
        required: files.required,
        only: either('identitiesOnly') ?? false,
        agentSocket: agentSocket(either('identityAgent'), settings.agentSocket, scope),
        certificates: paths([...specific.certificateFiles, ...general.certificateFiles]),
      },
      hostKey: {
        name: hostKeyAlias?.toLowerCase() ?? knownName(address, port),
        files: knownHosts.length > 0 ? knownHosts : defaultKnownHosts,
        globalFiles: paths(globalKnownHosts),
        revokedFiles: paths([either('revokedHostKeys') ?? 'none']),
        strictBecause: strictBecause(settings, either('strictHostKeyChecking')),
        hashed: either('hashKnownHosts') || undefined,
      },
      algorithms: chooseAlgorithms({ ...general, ...defined(specific) }),
      proxyCommand: proxy && 'command' in proxy ? readCommand(proxy, scope) : undefined,
      connectTimeoutMs: timeout === undefined || timeout === 0 ? undefined : timeout * 1000,
      family: either('addressFamily'),
      localAddress: either('bindAddress'),
      byHand: {
        config: usesDefaultConfig(settings.configPath, place.home) ? undefined : settings.configPath,
        // By hand the host is its address, which sections about its name do not match.
        keys: files.byHand ? files.paths : [],
        hostKeyAlias: specific.hostKeyAlias,
        proxyCommand: specific.proxy !== undefined && 'command' in specific.proxy,
      },
    };
  }
}

interface Looked {
  /** Every line that applies. */
  found: readonly Setting[];
  specific: HostOptions;
  general: HostOptions;
  proxy: HostOptions['proxy'];
}

/** Puts the line that holds the wrong value in front of the problem. */
function withPlace<T>(found: readonly Setting[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigProblem) || error.value === undefined) throw error;
    const { value, message, hint } = error;
    const line = found.find(({ words, rest }) => words.includes(value) || rest === value);
    throw line === undefined ? error : new ConfigProblem(`${line.place}: ${message}`, hint);
  }
}

/**
 * The stricter of deploy.yml and the ssh configuration decides. `ask` cannot ask during a run, so it refuses; `no` accepts
 * new keys, but never one that has changed.
 */
function strictBecause(settings: SshSettings, configured: HostOptions['strictHostKeyChecking']): string | undefined {
  if (settings.hostKeys === 'strict') return 'ssh.host_keys is strict';
  if (configured?.value !== 'yes' && configured?.value !== 'ask') return undefined;
  return `StrictHostKeyChecking is ${configured.value} (${configured.place})`;
}

function agentSocket(
  written: string | undefined,
  fromEnvironment: string | undefined,
  scope: ExpansionScope,
): string | undefined {
  if (written === undefined || written === 'SSH_AUTH_SOCK') return fromEnvironment;
  if (written.toLowerCase() === 'none') return undefined;
  const variable = /^\$([A-Za-z_]\w*)$/.exec(written)?.[1];
  if (variable === undefined) return expandPath(written, scope);
  const value = variable === 'SSH_AUTH_SOCK' ? fromEnvironment : scope.env[variable];
  if (!value) {
    const message = `IdentityAgent ${written}: the environment variable ${variable} is not set`;
    throw new ConfigProblem(message, undefined, written);
  }
  return value;
}

function readCommand({ command, place }: { command: string; place: string }, scope: ExpansionScope) {
  for (const word of [scope.address, scope.name, scope.user]) {
    // It becomes part of a shell's command line, and the name of a droplet comes from the API.
    if (!SAFE_WORD.test(word)) throw new ConfigProblem(`${place}: ProxyCommand cannot be used for "${word}"`);
  }
  return { line: expandTokens(command, scope), place };
}

/** A configuration that the user names replaces both of the usual ones, as with `ssh -F`. */
export function usesDefaultConfig(configPath: string | undefined, home: string): boolean {
  return configPath === undefined || configPath === `${home}/.ssh/config`;
}

/** Without the properties that are undefined. */
function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>;
}

function hostName(written: string | undefined, { name, address }: { name: string; address: string }): string {
  // `HostName %h` changes nothing in ssh; here %h is the droplet's name, which no resolver need know.
  if (written === undefined || written === '%h') return address;
  return written.replace(/%(.)/g, (token, letter) => ({ h: name, n: name, '%': '%' })[letter as string] ?? token);
}

function parseHop(written: string): { name: string; user?: string; port?: number } {
  const [, user, bracketed, plain, port] =
    /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?\/?$/.exec(written) ?? [];
  return { name: bracketed ?? plain ?? written, user, port: port === undefined ? undefined : Number(port) };
}
