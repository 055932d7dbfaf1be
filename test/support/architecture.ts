/** The rules on who may use what, and how to find out from source text. */
import { posix } from 'node:path';
import { parseSync } from 'vite';

/** `type` imports leave no trace in the program; `lazy` ones are import() expressions. */
type Kind = 'value' | 'type' | 'lazy';

interface SourceFacts {
  imports: { specifier: string; kind: Kind }[];
  /** What it takes from the process it runs in. */
  uses: Set<Capability>;
}

type Capability = 'process.env' | 'process.exit' | 'the clock' | 'AbortSignal.timeout' | 'the screen';

/** What each part may import; `:type` means types only. */
const LAYERS: Record<string, readonly string[]> = {
  errors: [],
  durations: [],
  'escape-sequences': [],
  'marked-program': [],
  'shell-quote': [],
  sizes: [],
  ports: ['rollout:type'],
  rollout: ['durations', 'errors:type'],
  config: ['durations', 'errors', 'rollout:type'],
  init: ['ports:type', 'errors', 'config'],
  targets: ['ports:type', 'errors', 'config:type', 'rollout:type'],
  deploy: ['durations', 'shell-quote', 'sizes', 'rollout', 'targets', 'ports:type', 'errors', 'config:type'],
  adapters: ['durations', 'escape-sequences', 'marked-program', 'ports:type', 'errors', 'config:type', 'rollout:type'],
  reporters: ['durations', 'escape-sequences', 'sizes', 'ports:type', 'errors', 'config:type', 'rollout'],
  layers: [
    'durations',
    'escape-sequences',
    'marked-program',
    'shell-quote',
    'ports:type',
    'errors',
    'config',
    'rollout',
  ],
  sandbox: ['ports:type', 'errors'],
  cli: ['durations', 'deploy', 'adapters', 'reporters', 'config', 'rollout', 'targets', 'layers', 'ports', 'errors'],
  commands: ['durations', 'cli', 'init', 'deploy', 'reporters', 'config', 'rollout', 'ports:type', 'errors'],
  main: ['cli', 'commands'],
  index: ['layers', 'ports', 'errors', 'rollout', 'config'],
};

/** The rooms of src/deploy: each may import only from rooms that come before it. */
export const ROOMS = [
  'core',
  'release',
  'droplet',
  'fleet',
  'lease',
  'drain',
  'staging',
  'bundle',
  'inspect',
  'operate',
  'bootstrap',
  'steps',
  'boot',
  'session',
  'rollouts',
  'plan',
  'doctor',
];

/** Packages that only some parts may know of. */
const PACKAGES: Record<string, readonly string[]> = {
  'dots-wrapper': ['adapters'],
  'node-ssh': ['adapters'],
  'p-retry': ['adapters'],
  aws4fetch: ['adapters'],
  ssh2: ['adapters', 'sandbox'],
  kleur: ['reporters', 'cli'],
  yargs: ['cli'],
  '@clack/prompts': ['cli'],
  dotenv: ['config'],
  nodemailer: ['layers'],
};

/** Folders and files of src/ that may use it. */
const CAPABILITIES: Record<Capability, readonly string[]> = {
  // The sandbox needs PATH to run its droplets' programs.
  'process.env': ['config/', 'cli/', 'sandbox/'],
  // The second one ends nothing: it takes it away from layers.
  'process.exit': ['main.ts', 'cli/refuse-exit.ts'],
  'the clock': ['adapters/system-clock.ts', 'sandbox/'],
  'AbortSignal.timeout': ['adapters/', 'sandbox/', 'commands/sandbox/'],
  // The programs of the sandbox's droplets have output of their own. `sandbox demo` shows that of a deploy.
  'the screen': [
    'cli/screen.ts',
    'sandbox/',
    'commands/sandbox/sandbox.ts',
    'commands/sandbox/deploy-under-load.ts',
    'cli/captured-console.ts',
    'main.ts',
  ],
};

/** Whatever breaks a rule, in words. `sources` are the files of src/ by their path in it. */
export function violations(sources: Record<string, string>): string[] {
  return Object.entries(sources).flatMap(([path, text]) => {
    const { imports, uses } = factsOf(path, text);
    const told = imports.map(({ specifier, kind }) => faultOfImport(path, specifier, kind));
    for (const use of uses) {
      const isAllowed = CAPABILITIES[use].some(
        (place) => path === place || (place.endsWith('/') && path.startsWith(place)),
      );
      if (!isAllowed) told.push(`uses ${use}`);
    }
    return told.filter((fault) => fault !== undefined).map((fault) => `${path} ${fault}`);
  });
}

/** Packages that are loaded at once with a file: those its static imports lead to. */
export function packagesLoadedWith(entry: string, sources: Record<string, string>): string[] {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { specifier, kind } of factsOf(path, sources[path] ?? '').imports) {
      if (kind !== 'value') continue;
      if (specifier.startsWith('.')) visit(resolve(path, specifier));
      else if (!specifier.startsWith('node:')) packages.add(packageOf(specifier));
    }
  };
  visit(entry);
  return [...packages].sort();
}

function faultOfImport(path: string, specifier: string, kind: Kind): string | undefined {
  const layer = layerOf(path);
  if (!specifier.startsWith('.')) {
    const users = PACKAGES[packageOf(specifier)];
    return users === undefined || users.includes(layer) ? undefined : `imports ${specifier}`;
  }
  const target = resolve(path, specifier);
  const other = layerOf(target);
  if (target.startsWith('..')) return `imports ${target}, which is outside of src/`;
  if (path === 'commands/index.ts' && other === 'commands' && kind === 'value')
    return `imports ${target}, but not lazily`;
  if (other === 'sandbox' && path.startsWith('commands/sandbox/')) return undefined;
  if (layer === 'deploy' && other === 'deploy') return faultOfRoom(path, target);
  if (layer === other) return undefined;
  const allowed = LAYERS[layer];
  if (allowed === undefined) return `is in ${layer}, for which there is no rule`;
  if (allowed.includes(other) || (kind === 'type' && allowed.includes(`${other}:type`))) return undefined;
  return allowed.includes(`${other}:type`) ? `imports more than types from ${target}` : `imports ${target}`;
}

function faultOfRoom(path: string, target: string): string | undefined {
  const [room, other] = [path, target].map((file) => ROOMS.indexOf(file.split('/')[1] ?? ''));
  if (room === undefined || other === undefined || room < 0) return 'is in no room of src/deploy';
  return other > room || other < 0 ? `imports ${target}, which is not in a room above its own` : undefined;
}

/** `rollout` for rollout/planner.ts, `errors` for errors.ts. */
function layerOf(path: string): string {
  return path.split('/')[0]?.replace(/\.ts$/, '') ?? '';
}

function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate']);
const TIME_MODULES = new Set(['node:timers', 'node:timers/promises', 'node:perf_hooks']);

/** A node of the syntax tree (ESTree), with what is asked of it here. */
interface Node {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

function factsOf(path: string, text: string): SourceFacts {
  const facts: SourceFacts = { imports: [], uses: new Set() };
  const { program, errors } = parseSync(path, text);
  if (errors[0]) throw new Error(`${path}: ${errors[0].message}`);
  const textOf = (node: Node) => text.slice(node.start, node.end);
  const visit = (node: Node, parent?: Node) => {
    const found = importOf(node, textOf);
    if (found !== undefined) {
      facts.imports.push(found);
      if (TIME_MODULES.has(found.specifier)) facts.uses.add('the clock');
      if (found.specifier === 'node:process') facts.uses.add('process.env').add('process.exit').add('the screen');
      if (found.specifier === 'node:console') facts.uses.add('the screen');
    }
    for (const use of usesOf(node, parent, textOf)) facts.uses.add(use);
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child, node);
  };
  visit(program as unknown as Node);
  return facts;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function importOf(node: Node, textOf: (node: Node) => string): { specifier: string; kind: Kind } | undefined {
  const { source } = node;
  if (!isNode(source)) return undefined;
  const specifier = typeof source.value === 'string' ? source.value : textOf(source).replace(/^`(.*)`$/, '$1');
  switch (node.type) {
    case 'ImportDeclaration':
      return { specifier, kind: isTypeOnly(node) ? 'type' : 'value' };
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return { specifier, kind: node.exportKind === 'type' ? 'type' : 'value' };
    case 'ImportExpression':
      return { specifier, kind: 'lazy' };
    case 'TSImportType':
      return { specifier, kind: 'type' };
    default:
      return undefined;
  }
}

/** `import type …`, or braces in which every name is a type. */
function isTypeOnly({ importKind, specifiers }: Node): boolean {
  if (importKind === 'type') return true;
  const names = specifiers as Node[];
  return names.length > 0 && names.every((name) => name.importKind === 'type');
}

function usesOf(node: Node, parent: Node | undefined, textOf: (node: Node) => string): Capability[] {
  const { type, object, property, id, init, callee } = node;
  const found: (Capability | undefined)[] = [];
  if (type === 'MemberExpression' && isNode(object) && isNode(property)) {
    found.push(useOfMember(textOf(object), node.computed ? String(property.value) : textOf(property)));
  }
  // const { env } = process
  if (type === 'VariableDeclarator' && isNode(id) && id.type === 'ObjectPattern' && isNode(init)) {
    const names = (id.properties as Node[]).flatMap(({ key }) => (isNode(key) ? textOf(key) : []));
    found.push(...names.map((name) => useOfMember(textOf(init), name)));
  }
  if (type === 'NewExpression' && isNode(callee) && textOf(callee) === 'Date') {
    if ((node.arguments as Node[]).length === 0) found.push('the clock');
  }
  if (isScreen(node, parent, textOf)) found.push('the screen');
  if (type === 'Identifier' && TIMERS.has(String(node.name)) && !isMemberName(node, parent)) found.push('the clock');
  return found.filter((use) => use !== undefined);
}

/** Writing to a standard stream by name, number or device, or handing them to another process. */
function isScreen(node: Node, parent: Node | undefined, textOf: (node: Node) => string): boolean {
  const { type } = node;
  if (type === 'Literal') return /^(\/dev\/(stdout|stderr|tty)|inherit)$/.test(String(node.value));
  if (type === 'Identifier') return node.name === 'console' && !isMemberName(node, parent);
  if (type !== 'CallExpression' || !isNode(node.callee)) return false;
  const callee = textOf(node.callee);
  const [first] = node.arguments as Node[];
  const toDescriptor = /(^|\.)(writeSync|write|writeFileSync|appendFileSync)$/.test(callee);
  return (
    /(^|\.)(stdout|stderr)\.(write|end)$/.test(callee) || (toDescriptor && (first?.value === 1 || first?.value === 2))
  );
}

function useOfMember(object: string, member: string): Capability | undefined {
  const owner = object.replace(/^globalThis\./, '');
  if (owner === 'process' && (member === 'env' || member === 'exit')) return `process.${member}`;
  if (owner === 'process' && (member === 'stdout' || member === 'stderr')) return 'the screen';
  if (owner === 'AbortSignal' && member === 'timeout') return 'AbortSignal.timeout';
  const isTime = (owner === 'Date' || owner === 'performance') && member === 'now';
  return isTime || (owner === 'globalThis' && TIMERS.has(member)) ? 'the clock' : undefined;
}

/** `socket.setTimeout` is the socket's own. */
function isMemberName(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined || parent.computed) return false;
  return parent.property === node || (parent.key === node && !parent.shorthand);
}
