/** Where files of a release make a server read the PROXY protocol. Pure. */
import type { ComposeText } from '../staging/compose-places.js';
import type { ProxyReader } from './facts.js';

/**
 * nginx (`listen 80 proxy_protocol`), HAProxy (`bind … accept-proxy`), Caddy (`proxy_protocol {` below listener_wrappers) and Apache
 * (`RemoteIPProxyProtocol On`).
 */
const READS =
  /^\s*(?:listen\s[^;#]*\bproxy_protocol\b|bind\s[^#]*\baccept-proxy\b|proxy_protocol\s*\{?\s*$|RemoteIPProxyProtocol\s+On\b)/i;

/** nginx takes connections without it as well. */
const TAKES_OTHERS = /^\s*listen\s(?![^;#]*\bproxy_protocol\b)/m;

/** @param texts files of the release with their paths */
export function findProxyReaders(texts: readonly ComposeText[]): ProxyReader[] {
  return texts.flatMap(({ path, text }) => {
    const isOnly = !TAKES_OTHERS.test(text);
    return text
      .split('\n')
      .flatMap((line, index) => (READS.test(line) ? [{ place: `${path}:${index + 1}`, isOnly }] : []));
  });
}
