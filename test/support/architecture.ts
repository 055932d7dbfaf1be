/** The rules on who may use what, and how to find out from source text. */
import { posix } from 'node:path';
import ts from 'typescript';

/** `type` imports leave no trace in the program; `lazy` ones are import() expressions. */
type Kind = 'value' | 'type' | 'lazy';

interface SourceFacts {
  imports: { specifier: string; kind: Kind }[];
  /** What it takes from the process it runs in. */
  uses: Set<Capability>;
}

type Capability = 'process.env' | 'process.exit' | 'the clock' | 'AbortSignal.timeout';

/** What each part may import; `:type` means types only. */
const LAYERS: Record<string, readonly string[]> = {
  errors: [],
  ports: ['rollout:type'],
  rollout: ['errors:type'],
  config: ['errors', 'rollout:type'],
  targets: ['ports:type', 'errors', 'config:type', 'rollout:type'],
  deploy: ['rollout', 'targets', 'ports:type', 'errors', 'config:type'],
  adapters: ['ports:type', 'errors', 'config:type', 'rollout:type'],
  reporters: ['ports:type', 'errors', 'config:type', 'rollout'],
  layers: ['ports:type', 'errors', 'config:type', 'rollout'],
  sandbox: ['ports:type', 'errors'],
  cli: ['deploy', 'adapters', 'reporters', 'config', 'rollout', 'targets', 'layers', 'ports', 'errors', 'sandbox'],
  index: ['layers', 'ports', 'errors', 'rollout', 'config'],
};

/** Packages that only some parts may know of. */
const PACKAGES: Record<string, readonly string[]> = {
  'dots-wrapper': ['adapters'],
  'node-ssh': ['adapters'],
  'p-retry': ['adapters'],
  ssh2: ['adapters', 'sandbox'],
  kleur: ['reporters', 'cli'],
  yargs: ['cli'],
  dotenv: ['config'],
};

/** Folders and files of src/ that may use it. */
const CAPABILITIES: Record<Capability, readonly string[]> = {
  // The sandbox needs PATH to run its droplets' programs.
  'process.env': ['config/', 'cli/', 'sandbox/'],
  'process.exit': ['cli/main.ts'],
  'the clock': ['adapters/system-clock.ts', 'sandbox/'],
  'AbortSignal.timeout': ['adapters/', 'sandbox/', 'cli/'],
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
  if (/^cli\/sandbox/.test(target) && !/^cli\/sandbox/.test(path)) {
    return kind === 'value' ? `imports ${target}, but not lazily` : undefined;
  }
  if (other === 'sandbox' && layer === 'cli' && !/^cli\/sandbox/.test(path)) return `imports ${target}`;
  if (layer === other) return undefined;
  const allowed = LAYERS[layer];
  if (allowed === undefined) return `is in ${layer}, for which there is no rule`;
  if (allowed.includes(other) || (kind === 'type' && allowed.includes(`${other}:type`))) return undefined;
  return allowed.includes(`${other}:type`) ? `imports more than types from ${target}` : `imports ${target}`;
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

function factsOf(path: string, text: string): SourceFacts {
  const facts: SourceFacts = { imports: [], uses: new Set() };
  const visit = (node: ts.Node) => {
    const found = importOf(node);
    if (found !== undefined) {
      facts.imports.push(found);
      if (TIME_MODULES.has(found.specifier)) facts.uses.add('the clock');
      if (found.specifier === 'node:process') facts.uses.add('process.env').add('process.exit');
    }
    const use = useOf(node);
    if (use !== undefined) facts.uses.add(use);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return facts;
}

function importOf(node: ts.Node): { specifier: string; kind: Kind } | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, kind: isTypeOnly(node) ? 'type' : 'value' };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, kind: node.isTypeOnly ? 'type' : 'value' };
  }
  const [argument] = ts.isCallExpression(node) ? node.arguments : [];
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword && argument) {
    return { specifier: ts.isStringLiteralLike(argument) ? argument.text : argument.getText(), kind: 'lazy' };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, kind: 'type' };
  }
  return undefined;
}

/** `import type …`, or braces in which every name is a type. */
function isTypeOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.length > 0 &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

function useOf(node: ts.Node): Capability | undefined {
  if (ts.isPropertyAccessExpression(node)) return useOfMember(node.expression.getText(), node.name.text);
  if (ts.isElementAccessExpression(node) && ts.isStringLiteral(node.argumentExpression)) {
    return useOfMember(node.expression.getText(), node.argumentExpression.text);
  }
  // const { env } = process
  if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
    const { parent } = node.parent;
    const from = ts.isVariableDeclaration(parent) ? parent.initializer?.getText() : undefined;
    return from === undefined ? undefined : useOfMember(from, (node.propertyName ?? node.name).getText());
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'the clock';
  if (ts.isIdentifier(node) && TIMERS.has(node.text) && !isMemberName(node)) return 'the clock';
  return undefined;
}

function useOfMember(object: string, member: string): Capability | undefined {
  const owner = object.replace(/^globalThis\./, '');
  if (owner === 'process' && (member === 'env' || member === 'exit')) return `process.${member}`;
  if (owner === 'AbortSignal' && member === 'timeout') return 'AbortSignal.timeout';
  const isTime = (owner === 'Date' || owner === 'performance') && member === 'now';
  return isTime || (owner === 'globalThis' && TIMERS.has(member)) ? 'the clock' : undefined;
}

/** `socket.setTimeout` is the socket's own. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    ((ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isPropertySignature(parent)) &&
      parent.name === node)
  );
}
