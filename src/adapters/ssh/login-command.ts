/** The ssh command line that takes do-deploy's route by hand, for every hint that names one. */
import { quote } from './quote.js';
import type { Stop } from './route.js';

/** What ssh needs besides host, user and port. */
export interface ByHand {
  /** The configuration that deploy.yml names, if it is not the usual one; absolute. */
  config?: string;
  /** Those that the usual configuration would not offer. */
  keys: readonly string[];
  hostKeyAlias?: string;
  proxyCommand: boolean;
}

/** @param stops to the last one */
export function loginCommand(stops: readonly Stop[], ...options: string[]): string {
  const target = stops.at(-1);
  if (target === undefined) throw new RangeError('a route has at least one stop');
  const { byHand, proxyCommand, user, host, port } = target;
  const jumps = stops.slice(0, -1).map((stop) => `${stop.user}@${bracketed(stop.host)}:${stop.port}`);
  const words = [
    ...options,
    ...(byHand.config === undefined ? [] : ['-F', byHand.config]),
    ...byHand.keys.flatMap((key) => ['-i', key]),
    ...(byHand.hostKeyAlias === undefined ? [] : ['-o', `HostKeyAlias=${byHand.hostKeyAlias}`]),
    ...(byHand.proxyCommand && proxyCommand !== undefined ? ['-o', `ProxyCommand=${proxyCommand.line}`] : []),
    ...(jumps.length > 0 ? ['-J', jumps.join(',')] : []),
    ...['-p', String(port), `${user}@${host}`],
  ];
  return ['ssh', ...words.map(quoted)].join(' ');
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quote(word);
}
