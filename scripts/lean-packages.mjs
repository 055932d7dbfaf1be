/**
 * What the bundle leaves out of packages: parts that do-deploy never uses, but that cost a third of the start-up time.
 * Each replacement fails the build if the package no longer has what is replaced.
 */
import { createRequire } from 'node:module';
import { RolldownMagicString } from 'rolldown';

const require = createRequire(import.meta.url);
const jiti = require.resolve('jiti/package.json').replace('package.json', 'lib/jiti.cjs');
const yargsParser = createRequire(require.resolve('yargs/helpers')).resolve('yargs-parser');

/** Modules with a replacement. The pattern matches the module's path, or its name if it is resolved nowhere else. */
const MODULES = [
  // Packages ask for these and do without them if they are not installed. ssh2 then uses Node's own crypto, and debug fewer
  // colours. Left out everywhere, so that do-deploy is the same program on every machine.
  { name: /^cpu-features$/, code: "throw new Error('left out of the bundle');" },
  { name: /^supports-color$/, code: "throw new Error('left out of the bundle');" },
  { name: /sshcrypto\.node$/, code: "throw new Error('left out of the bundle');" },
  // For platforms without FormData. It brings a table of all media types and a dozen small packages.
  { name: /^form-data$/, code: 'export default undefined;' },
  // Node has had it since version 10; the package brings semver to find that out.
  {
    name: /^make-dir$/,
    code: "import { mkdir } from 'node:fs/promises';\nexport default (path) => mkdir(path, { recursive: true });",
  },
  // Its other form looks for the compiler beside itself at run time.
  { name: /^jiti$/, code: `export { createJiti } from ${JSON.stringify(jiti)};` },
  // Of yargs only the parser is used; its helpers load all of yargs' texts and tables of characters.
  { name: /^yargs\/helpers$/, code: `export { default as Parser } from ${JSON.stringify(yargsParser)};` },
  // axios uses its http adapter first. Loading this one, and Node's http2, takes longer than a request.
  {
    name: /^\.\/fetch\.js$/,
    from: /\/axios\/lib\/adapters\/adapters\.js$/,
    code: 'export const getFetch = undefined;',
  },
  { name: /^http2$/, from: /\/axios\/lib\/adapters\/http\.js$/, code: 'export default undefined;' },
];

/** Texts within a module. */
const TEXTS = [
  // Only the sandbox uses these parts of ssh2, and only encrypted keys need bcrypt: loaded when they are used.
  {
    path: /\/ssh2\/lib\/index\.js$/,
    from: "Server: require('./server.js'),",
    to: "get Server() { return require('./server.js'); },",
  },
  {
    path: /\/ssh2\/lib\/index\.js$/,
    from: "...require('./keygen.js'),",
    to: "get generateKeyPairSync() { return require('./keygen.js').generateKeyPairSync; },",
  },
  {
    path: /\/ssh2\/lib\/index\.js$/,
    from: "const {\n  SSHTTPAgent: HTTPAgent,\n  SSHTTPSAgent: HTTPSAgent,\n} = require('./http-agents.js');",
    to: 'const [HTTPAgent, HTTPSAgent] = [];',
  },
  {
    path: /\/ssh2\/lib\/protocol\/keyParser\.js$/,
    from: "const bcrypt_pbkdf = require('bcrypt-pbkdf').pbkdf;",
    to: "const bcrypt_pbkdf = (...args) => require('bcrypt-pbkdf').pbkdf(...args);",
  },
  {
    path: /\/zod\/v4\/core\/core\.js$/,
    // Otherwise zod compiles a parser for each schema, although most are used once.
    from: '(_a.__zod_globalConfig = {})',
    to: '(_a.__zod_globalConfig = { jitless: true })',
  },
  {
    path: /\/axios\/lib\/utils\.js$/,
    // Looking at the global FormData loads all of Node's fetch. The line below recognises FormData by its tag, too.
    from: "const FormDataCtor = typeof G.FormData !== 'undefined' ? G.FormData : undefined;",
    to: 'const FormDataCtor = undefined;',
  },
];

/** @returns {import('rolldown').Plugin} */
export function leanPackages() {
  const unused = new Set([...MODULES, ...TEXTS]);
  return {
    name: 'lean-packages',
    resolveId(name, importer = '') {
      const index = MODULES.findIndex((one) => one.name.test(name) && (one.from?.test(importer) ?? true));
      if (index < 0) return null;
      unused.delete(MODULES[index]);
      return `\0left-out-${index}`;
    },
    load(id) {
      const [, index] = /^\0left-out-(\d+)$/.exec(id) ?? [];
      return index === undefined ? null : MODULES[index].code;
    },
    transform(code, id) {
      const texts = TEXTS.filter(({ path, from }) => path.test(id) && code.includes(from));
      if (texts.length === 0) return null;
      for (const text of texts) unused.delete(text);
      return replaced(code, ...texts.map(({ from, to }) => [from, to]));
    },
    buildEnd() {
      const [first] = unused;
      if (first) throw new Error(`scripts/lean-packages.mjs: nothing matches ${first.name ?? first.from}`);
    },
  };
}

/** @returns the code with its source map */
export function replaced(code, ...changes) {
  const edited = new RolldownMagicString(code);
  for (const [from, to] of changes) edited.replaceAll(from, to);
  return { code: edited.toString(), map: edited.generateMap({ hires: true }).toString() };
}
