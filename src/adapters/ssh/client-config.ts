/** OpenSSH's client configuration (ssh_config(5)), as far as it says where and how to connect. */
import SSHConfig, { type Directive, type Line, type Section } from 'ssh-config';
import { matchesPatterns } from './patterns.js';

/** What a configuration says of one host: the first value of each option, of IdentityFile all. */
export interface HostOptions {
  hostName?: string;
  port?: number;
  user?: string;
  identityFiles: string[];
  identitiesOnly?: boolean;
  /** As written: `none`, or hops separated by commas. */
  proxyJump?: string;
  userKnownHostsFiles?: string[];
  hostKeyAlias?: string;
}

export interface ClientConfig {
  /**
   * `specific` comes from sections that name the host; `general` from `Host *` and from above the first section.
   * `names` are what the host is called: its droplet's name and its address. What is said of the first wins.
   */
  lookUp(names: readonly string[]): { specific: HostOptions; general: HostOptions };
  /** Directives found in it that are not followed: `Include`, `Match`. */
  unsupported: string[];
}

export const EMPTY_CONFIG: ClientConfig = {
  lookUp: () => ({ specific: { identityFiles: [] }, general: { identityFiles: [] } }),
  unsupported: [],
};

/**
 * Not by the library's `compute`: that one runs the commands of `Match exec` and asks DNS, and can't tell `Host *` from
 * a section about this host. Throws what the parser throws.
 */
export function parseClientConfig(text: string): ClientConfig {
  const lines = [...SSHConfig.parse(text)].filter(isDirective);
  const found = (name: string) =>
    lines.some((line) => is(line, name) || (isSection(line) && directives(line).some((inner) => is(inner, name))));
  return {
    unsupported: ['Include', 'Match'].filter(found),
    lookUp(names) {
      const byName: Directive[] = [];
      const byAddress: Directive[] = [];
      const general: Directive[] = [];
      for (const line of lines) {
        if (is(line, 'Match')) continue;
        if (!isSection(line)) general.push(line);
        else if (matchesPatterns(words(line), names)) {
          const named = matchesPatterns(words(line), names.slice(0, 1)) ? byName : byAddress;
          (namesAll(line) ? general : named).push(...directives(line));
        }
      }
      return { specific: readOptions([...byName, ...byAddress]), general: readOptions(general) };
    },
  };
}

function readOptions(lines: readonly Directive[]): HostOptions {
  const all = (name: string) => lines.filter((line) => is(line, name));
  const first = (name: string) => all(name)[0];
  const word = (name: string) => {
    const line = first(name);
    return line && words(line)[0];
  };
  const hostName = word('HostName');
  const port = Number(word('Port'));
  const user = word('User');
  const identitiesOnly = word('IdentitiesOnly');
  const proxyJump = word('ProxyJump');
  const knownHosts = first('UserKnownHostsFile');
  const hostKeyAlias = word('HostKeyAlias');
  return {
    identityFiles: all('IdentityFile').flatMap((line) => whole(line)),
    hostName,
    ...(Number.isInteger(port) && port > 0 && port < 65536 && { port }),
    user,
    ...(identitiesOnly !== undefined && { identitiesOnly: identitiesOnly.toLowerCase() === 'yes' }),
    proxyJump,
    ...(knownHosts && { userKnownHostsFiles: words(knownHosts) }),
    hostKeyAlias,
  };
}

function isDirective(line: Line): line is Directive | Section {
  return line.type === SSHConfig.DIRECTIVE;
}

function isSection(line: Directive): line is Section {
  return 'config' in line;
}

function is(line: Directive, name: string): boolean {
  return line.param.toLowerCase() === name.toLowerCase();
}

function directives(section: Section): Directive[] {
  return [...section.config].filter(isDirective);
}

function namesAll(section: Section): boolean {
  return words(section).every((pattern) => pattern === '*' || pattern.startsWith('!'));
}

/** The library gives a list where there are several words. A string is one: a quoted path may have spaces. */
function words(line: Directive): string[] {
  if (typeof line.value === 'string') return [line.value];
  return line.value.map(({ val }) => val);
}

/** The value as one word, spaces and all: a path. */
function whole(line: Directive): string {
  return typeof line.value === 'string' ? line.value : line.value.map(({ val }) => val).join(' ');
}
