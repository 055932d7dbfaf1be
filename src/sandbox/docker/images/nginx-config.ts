/** An nginx.conf that the stand-in cannot serve, in nginx's own words, without the leading `nginx: [emerg]`. */
export class NginxConfigError extends Error {}

/** A directive that real nginx may know and the stand-in does not. */
export class UnknownDirective extends NginxConfigError {}

interface Directive {
  /** Its name and arguments. */
  words: string[];
  line: number;
  block: Directive[];
}

export interface NginxLocation {
  path: string;
  exact: boolean;
  /** The services to proxy to, or what to answer. */
  action: NginxUpstream | { status: number; text: string };
}

export interface NginxUpstream {
  servers: { service: string; port: number }[];
  /** Statuses after which the next server is asked: `proxy_next_upstream http_503`. */
  nextAfter: number[];
}

export interface NginxServer {
  port: number;
  locations: NginxLocation[];
}

/** Accepted, without effect on what the stand-in serves. */
const IGNORED = /^(?:events|access_log|error_log|proxy_set_header|proxy_http_version|server_name|worker_\w+)$/;

const TOKEN = /\n|#[^\n]*|"(?:\\.|[^"\\])*"|'[^']*'|[{};]|[^\s{};"']+/g;

/**
 * Reads the servers of an nginx.conf: upstreams, locations (exact or by prefix) with `proxy_pass` or `return`. Throws NginxConfigError for everything else.
 */
export function readNginxConfig(text: string, file: string): NginxServer[] {
  const pick = (block: readonly Directive[], ...names: string[]) => {
    const strange = block.find(({ words: [name = ''] }) => !names.includes(name) && !IGNORED.test(name));
    if (strange !== undefined) throw unknown(strange, file);
    return (name: string) => block.filter(({ words }) => words[0] === name);
  };
  const [http] = pick(parse(text, file), 'http')('http');
  const inHttp = pick(http?.block ?? [], 'upstream', 'server');
  const upstreams = new Map(
    inHttp('upstream').map(({ words, block }) => [
      words[1],
      pick(block, 'server')('server').map((server) => server.words[1] ?? ''),
    ]),
  );
  return inHttp('server').map(({ block }) => {
    const inServer = pick(block, 'listen', 'location');
    const [listen] = inServer('listen');
    if (listen !== undefined && !/^listen \d+$/.test(listen.words.join(' '))) throw unknown(listen, file);
    const locations = inServer('location').map((location) => readLocation(location, upstreams, file));
    return { port: Number(listen?.words[1] ?? 80), locations };
  });
}

function readLocation(location: Directive, upstreams: Map<string | undefined, string[]>, file: string) {
  const [, modifier = '', path = modifier] = location.words;
  const exact = modifier === '=';
  if (path === modifier ? !path.startsWith('/') : !exact) throw unknown(location, file);
  const next = location.block.find(({ words: [name] }) => name === 'proxy_next_upstream');
  const [action = location, more] = location.block.filter((one) => one !== next && !IGNORED.test(one.words[0] ?? ''));
  if (more !== undefined) throw unknown(more, file);
  const [name, argument = '', text = ''] = action.words;
  const target = /^http:\/\/([\w.:-]+)$/.exec(argument)?.[1];
  if (name === 'return' && !text.includes('$')) return { path, exact, action: { status: Number(argument), text } };
  if (name !== 'proxy_pass' || target === undefined) throw unknown(action, file);
  const servers = (upstreams.get(target) ?? [target]).map((server) => {
    const [service = '', port = '80'] = server.split(':');
    return { service, port: Number(port) };
  });
  const nextAfter = (next?.words ?? []).flatMap((word) => (/^http_\d+$/.test(word) ? [Number(word.slice(5))] : []));
  return { path, exact, action: { servers, nextAfter } };
}

function unknown({ words, line }: Directive, file: string): UnknownDirective {
  return new UnknownDirective(`unknown directive "${words.join(' ')}" in ${file}:${line}`);
}

function parse(text: string, file: string): Directive[] {
  const root: Directive = { words: [], line: 0, block: [] };
  const open = [root];
  let words: string[] = [];
  let line = 1;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '\n') line += 1;
    else if (token === ';' || token === '{') {
      const directive: Directive = { words, line, block: [] };
      open.at(-1)?.block.push(directive);
      if (token === '{') open.push(directive);
      words = [];
    } else if (token === '}') {
      if (open.length === 1) throw new NginxConfigError(`unexpected "}" in ${file}:${line}`);
      open.pop();
    } else if (!token.startsWith('#')) words.push(token.replace(/^["'](.*)["']$/s, '$1'));
  }
  if (open.length > 1 || words.length > 0) {
    throw new NginxConfigError(`unexpected end of file, expecting "}" in ${file}:${line}`);
  }
  return root.block;
}
