/** An nginx configuration that can't be served, in nginx's own words, without the `nginx: [emerg]` in front. */
export class NginxConfigError extends Error {
  /** True when nginx itself may know what the stand-in does not. */
  readonly unknown: boolean;

  constructor(message: string, unknown = false) {
    super(message);
    this.unknown = unknown;
  }
}

interface Directive {
  name: string;
  args: string[];
  line: number;
  block?: Directive[];
}

export type NginxAction =
  | { kind: 'return'; status: number; text: string }
  | { kind: 'proxy'; upstream: { service: string; port: number }[] };

export interface NginxLocation {
  path: string;
  exact: boolean;
  action: NginxAction;
  headers: [name: string, value: string][];
}

export interface NginxServer {
  listens: { port: number; proxyProtocol: boolean }[];
  locations: NginxLocation[];
}

/** Understood and without effect on what the stand-in shows. */
const WITHOUT_EFFECT = new Set([
  'access_log',
  'default_type',
  'error_log',
  'include',
  'keepalive_timeout',
  'pid',
  'proxy_http_version',
  'proxy_set_header',
  'sendfile',
  'server_name',
  'server_tokens',
  'user',
  'worker_connections',
  'worker_processes',
]);

/** Reads the servers out of an nginx.conf. Throws NginxConfigError for everything the stand-in does not serve. */
export function readNginxConfig(text: string, file: string): NginxServer[] {
  const top = parse(text, file);
  only(top, ['events', 'http'], file);
  const http = top.filter(({ name }) => name === 'http').flatMap(({ block }) => block ?? []);
  only(http, ['upstream', 'server'], file);

  const upstreams = new Map<string, { service: string; port: number }[]>();
  for (const { args, block = [] } of http.filter(({ name }) => name === 'upstream')) {
    only(block, ['server', 'keepalive'], file);
    const servers = block.filter(({ name }) => name === 'server');
    upstreams.set(
      args[0] ?? '',
      servers.map((server) => readAddress(server.args[0] ?? '')),
    );
  }
  return http.filter(({ name }) => name === 'server').map((server) => readServer(server, upstreams, file));
}

function readServer(server: Directive, upstreams: Upstreams, file: string): NginxServer {
  const block = server.block ?? [];
  only(block, ['listen', 'location', 'return', 'add_header'], file);
  const headers = readHeaders(block, file);
  const whole = block.find(({ name }) => name === 'return');
  const locations =
    whole === undefined
      ? block
          .filter(({ name }) => name === 'location')
          .map((location) => readLocation(location, headers, upstreams, file))
      : [{ path: '/', exact: false, headers, action: readReturn(whole, file) }];
  const listens = block.filter(({ name }) => name === 'listen');
  return { listens: listens.map((listen) => readListen(listen, file)), locations };
}

type Upstreams = Map<string, { service: string; port: number }[]>;

function readLocation(
  location: Directive,
  inherited: NginxLocation['headers'],
  upstreams: Upstreams,
  file: string,
): NginxLocation {
  const block = location.block ?? [];
  only(block, ['proxy_pass', 'return', 'add_header'], file);
  const [modifier = '/', path = modifier] = location.args;
  const exact = modifier === '=';
  if (location.args.length > 1 && !exact && modifier !== '^~')
    throw unknown(`location ${location.args.join(' ')}`, location, file);

  const own = readHeaders(block, file);
  const proxy = block.find(({ name }) => name === 'proxy_pass');
  const answer = block.find(({ name }) => name === 'return');
  if (proxy === undefined && answer === undefined)
    throw unknown('location without proxy_pass or return', location, file);
  return {
    path,
    exact,
    // As in nginx, headers are inherited only by a block that adds none.
    headers: own.length > 0 ? own : inherited,
    action: answer !== undefined ? readReturn(answer, file) : readProxy(proxy ?? location, upstreams, file),
  };
}

function readProxy(directive: Directive, upstreams: Upstreams, file: string): NginxAction {
  const match = /^http:\/\/([\w.-]+(?::\d+)?)$/.exec(directive.args[0] ?? '');
  const target = match?.[1];
  if (target === undefined) throw unknown(`proxy_pass ${directive.args.join(' ')}`, directive, file);
  return { kind: 'proxy', upstream: upstreams.get(target) ?? [readAddress(target)] };
}

function readReturn(directive: Directive, file: string): NginxAction {
  const [status = '', text = ''] = directive.args;
  if (!/^[245]\d\d$/.test(status) || text.includes('$'))
    throw unknown(`return ${directive.args.join(' ')}`, directive, file);
  return { kind: 'return', status: Number(status), text };
}

function readHeaders(block: Directive[], file: string): NginxLocation['headers'] {
  const added = block.filter(({ name }) => name === 'add_header');
  return added.map((directive) => {
    const [name = '', value = '', ...more] = directive.args;
    if (more.length > 0 || value.includes('$'))
      throw unknown(`add_header ${directive.args.join(' ')}`, directive, file);
    return [name, value];
  });
}

function readListen(directive: Directive, file: string): NginxServer['listens'][number] {
  const [address = '', ...flags] = directive.args;
  const port = /^(?:\[::\]:|0\.0\.0\.0:)?(\d+)$/.exec(address)?.[1];
  if (port === undefined || flags.some((flag) => flag !== 'default_server' && flag !== 'proxy_protocol')) {
    throw unknown(`listen ${directive.args.join(' ')}`, directive, file);
  }
  return { port: Number(port), proxyProtocol: flags.includes('proxy_protocol') };
}

function readAddress(text: string): { service: string; port: number } {
  const [service = '', port = '80'] = text.split(':');
  return { service, port: Number(port) };
}

function only(block: Directive[], names: string[], file: string): void {
  const strange = block.find(({ name }) => !names.includes(name) && !WITHOUT_EFFECT.has(name));
  if (strange !== undefined) throw unknown(strange.name, strange, file);
}

function unknown(what: string, { line }: Directive, file: string): NginxConfigError {
  return new NginxConfigError(`unknown directive "${what}" in ${file}:${line}`, true);
}

function parse(text: string, file: string): Directive[] {
  const root: Directive = { name: '', args: [], line: 0, block: [] };
  const open = [root];
  let words: string[] = [];
  let line = 1;
  for (const [token] of text.matchAll(/\n|#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{};]|[^\s{};"']+/g)) {
    const [name, ...args] = words;
    if (token === '\n') {
      line += 1;
    } else if (token.startsWith('#')) {
      // A comment.
    } else if (token === ';' || token === '{') {
      if (name === undefined) throw new NginxConfigError(`unexpected "${token}" in ${file}:${line}`);
      const directive: Directive = { name, args, line, ...(token === '{' && { block: [] }) };
      open.at(-1)?.block?.push(directive);
      if (token === '{') open.push(directive);
      words = [];
    } else if (token === '}') {
      if (open.length === 1 || name !== undefined) throw new NginxConfigError(`unexpected "}" in ${file}:${line}`);
      open.pop();
    } else {
      words.push(unquote(token));
    }
  }
  if (open.length > 1 || words.length > 0) {
    throw new NginxConfigError(`unexpected end of file, expecting "}" in ${file}:${line}`);
  }
  return root.block ?? [];
}

function unquote(token: string): string {
  if (!/^["']/.test(token)) return token;
  return token.slice(1, -1).replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}
