/** `~`, `%` tokens and `${VARIABLES}` in the values of an ssh configuration. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ConfigProblem } from './config-lines.js';

export interface ExpansionScope {
  /** The address that is connected to. */
  address: string;
  /** The name that the user or DigitalOcean gave it. */
  name: string;
  hostKeyAlias?: string;
  /** Who logs in there. */
  user: string;
  port: number;
  home: string;
  localUser: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** A path of ssh_config(5). Throws ConfigProblem for what cannot be expanded. */
export function expandPath(path: string, scope: ExpansionScope): string {
  const text = expandVariables(expandTokens(path, scope), scope, path);
  if (/^~(\/|$)/.test(text)) return join(scope.home, text.slice(1));
  if (text.startsWith('~')) {
    throw new ConfigProblem(`${path}: write the whole path instead of ${text.split('/')[0]}`, undefined, path);
  }
  return text;
}

/** The tokens of IdentityFile and its like; ProxyCommand knows fewer. */
export function expandTokens(text: string, scope: ExpansionScope): string {
  const host = hostname();
  const tokens: Record<string, string | undefined> = {
    '%': '%',
    d: scope.home,
    h: scope.address,
    i: String(process.getuid?.() ?? ''),
    k: scope.hostKeyAlias ?? scope.name,
    L: host.split('.')[0],
    l: host,
    n: scope.name,
    p: String(scope.port),
    r: scope.user,
    u: scope.localUser,
  };
  return text.replace(/%(.?)/g, (token, letter: string) => {
    const value = Object.hasOwn(tokens, letter) ? tokens[letter] : undefined;
    if (value === undefined) throw new ConfigProblem(`${text}: the token ${token} is not supported`, undefined, text);
    return value;
  });
}

function expandVariables(text: string, { env }: ExpansionScope, written: string): string {
  return text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) {
      throw new ConfigProblem(`${text}: the environment variable ${name} is not set`, undefined, written);
    }
    return value;
  });
}
