import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packagesLoadedWith, violations } from './support/architecture.js';

/** The default. */
const DEFAULT = 'config/deploy.yml';

const isCode = (line: string) => !/^\s*(\/\*\*|\*|\/\/)/.test(line);

function readSources(): Record<string, string> {
  const src = fileURLToPath(new URL('../src/', import.meta.url));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return Object.fromEntries(files.map((path) => [path, readFileSync(src + path, 'utf8')]));
}

describe('the sources', () => {
  const sources = readSources();

  it('follow the directions of the architecture', () => {
    expect(Object.keys(sources).length).toBeGreaterThan(50);
    expect(violations(sources)).toEqual([]);
  });

  it('name the configuration file only as it was given: --config may name another one', () => {
    const named = Object.entries(sources).flatMap(([path, text]) =>
      /^(deploy|adapters|targets|layers|reporters)\//.test(path)
        ? text
            .split('\n')
            .flatMap((line, index) => (isCode(line) && line.includes(DEFAULT) ? `${path}:${index + 1}` : []))
        : [],
    );
    expect(named.map((place) => place.split(':')[0])).toEqual(['deploy/core/do-deploy.ts']);
  });

  it('load no package before the command is known', () => {
    expect(packagesLoadedWith('main.ts', sources)).toEqual([]);
  });

  it('load the parser of arguments and no other package for the help of any command', () => {
    const declarations = Object.keys(sources).filter((path) => path.startsWith('commands/') && isDeclaration(path));
    expect(declarations.length).toBeGreaterThan(12);
    const packages = [...declarations, 'cli/parse.ts', 'cli/help.ts'].flatMap((path) =>
      packagesLoadedWith(path, sources),
    );
    expect([...new Set(packages)]).toEqual(['yargs']);
  });

  function isDeclaration(path: string): boolean {
    return sources[path]?.includes('export default defineCommand(') === true;
  }
});

describe('the check', () => {
  it.each<[path: string, source: string, fault: string]>([
    ['rollout/a.ts', "import { Cloud } from '../ports.js'", 'imports ports.ts'],
    ['rollout/a.ts', "import type { Cloud } from '../ports.js'", 'imports ports.ts'],
    ['rollout/a.ts', "import { DeployError } from '../errors.js'", 'imports more than types from errors.ts'],
    ['rollout/a.ts', "export { DeployError } from '../errors.js'", 'imports more than types from errors.ts'],
    ['rollout/deep/a.ts', "import '../../deploy/b.js'", 'imports deploy/b.ts'],
    ['rollout/a.ts', "type A = import('../deploy/b.js').B", 'imports deploy/b.ts'],
    ['deploy/a.ts', "import { b } from '../adapters/b.js'", 'imports adapters/b.ts'],
    ['deploy/a.ts', "import { b } from '../reporters/b.js'", 'imports reporters/b.ts'],
    ['deploy/a.ts', "const b = await import('../sandbox/b.js')", 'imports sandbox/b.ts'],
    ['deploy/a.ts', "import { type A, b } from '../config/b.js'", 'imports more than types from config/b.ts'],
    ['adapters/a.ts', "import { b } from '../deploy/b.js'", 'imports deploy/b.ts'],
    ['targets/a.ts', "import { b } from '../deploy/b.js'", 'imports deploy/b.ts'],
    ['reporters/a.ts', "import { b } from '../cli/b.js'", 'imports cli/b.ts'],
    ['config/a.ts', "import { b } from '../cli/b.js'", 'imports cli/b.ts'],
    ['sandbox/a.ts', "import { b } from '../deploy/b.js'", 'imports deploy/b.ts'],
    ['deploy/a.ts', "import { b } from './core/b.js'", 'is in no room of src/deploy'],
    [
      'deploy/lease/a.ts',
      "import { b } from '../steps/b.js'",
      'imports deploy/steps/b.ts, which is not in a room above its own',
    ],
    [
      'deploy/core/a.ts',
      "import type { B } from '../droplet/b.js'",
      'imports deploy/droplet/b.ts, which is not in a room above its own',
    ],
    ['elsewhere/a.ts', "import { b } from '../deploy/b.js'", 'is in elsewhere, for which there is no rule'],
    ['deploy/a.ts', "import { b } from '../../test/b.js'", 'imports ../test/b.ts, which is outside of src/'],

    ['cli/a.ts', "import { b } from '../sandbox/b.js'", 'imports sandbox/b.ts'],
    ['cli/a.ts', "const b = await import('../commands/b.js')", 'imports commands/b.ts'],
    ['deploy/core/a.ts', "import { b } from '../../cli/b.js'", 'imports cli/b.ts'],
    ['commands/a.ts', "const b = await import('../sandbox/b.js')", 'imports sandbox/b.ts'],
    ['commands/a.ts', "import { b } from '../adapters/b.js'", 'imports adapters/b.ts'],
    ['commands/index.ts', "import { b } from './sandbox/up.js'", 'imports commands/sandbox/up.ts, but not lazily'],
    ['main.ts', "import { b } from './deploy/b.js'", 'imports deploy/b.ts'],

    ['deploy/a.ts', "import { createApiClient } from 'dots-wrapper'", 'imports dots-wrapper'],
    ['deploy/a.ts', "import { NodeSSH } from 'node-ssh'", 'imports node-ssh'],
    ['deploy/a.ts', "import type { Client } from 'ssh2'", 'imports ssh2'],
    ['sandbox/a.ts', "import pRetry from 'p-retry'", 'imports p-retry'],
    ['deploy/a.ts', "import { red } from 'kleur/colors'", 'imports kleur/colors'],
    ['config/a.ts', "import yargs from 'yargs'", 'imports yargs'],
    ['cli/a.ts', "const { parse } = await import('dotenv')", 'imports dotenv'],

    ['deploy/a.ts', 'const home = process.env.HOME', 'uses process.env'],
    ['adapters/a.ts', 'const { env } = process', 'uses process.env'],
    ['reporters/a.ts', "const home = process['env'].HOME", 'uses process.env'],
    ['cli/a.ts', 'process.exit(1)', 'uses process.exit'],
    ['commands/a.ts', 'process.stdout.write(text)', 'uses the screen'],
    ['cli/a.ts', 'globalThis.process.stderr.write(text)', 'uses the screen'],
    ['deploy/a.ts', 'const { stdout } = process', 'uses the screen'],
    ['commands/a.ts', 'console.log(text)', 'uses the screen'],
    ['config/a.ts', 'const { warn } = console', 'uses the screen'],
    ['commands/a.ts', "import { stderr } from 'node:process'", 'uses the screen'],
    ['commands/a.ts', "import console from 'node:console'", 'uses the screen'],
    ['cli/a.ts', 'context.stdout.write(text)', 'uses the screen'],
    ['reporters/a.ts', 'stderr.write(text)', 'uses the screen'],
    ['adapters/a.ts', 'fs.writeSync(2, text)', 'uses the screen'],
    ['commands/a.ts', "createWriteStream('/dev/stdout')", 'uses the screen'],
    ['commands/a.ts', "spawn('less', [], { stdio: 'inherit' })", 'uses the screen'],
    ['deploy/a.ts', 'const { exit: leave } = globalThis.process', 'uses process.exit'],
    ['deploy/a.ts', 'const t = Date.now()', 'uses the clock'],
    ['deploy/a.ts', 'const t = new Date()', 'uses the clock'],
    ['adapters/a.ts', 'setTimeout(() => {}, 1)', 'uses the clock'],
    ['adapters/a.ts', 'const later = globalThis.setInterval', 'uses the clock'],
    ['cli/a.ts', 'await new Promise((resolve) => setImmediate(resolve))', 'uses the clock'],
    ['deploy/a.ts', "import { setTimeout as sleep } from 'node:timers/promises'", 'uses the clock'],
    ['reporters/a.ts', 'const t = performance.now()', 'uses the clock'],
    ['deploy/a.ts', 'const s = AbortSignal.timeout(5)', 'uses AbortSignal.timeout'],
  ])('%s: %s', (path, source, fault) => {
    expect(violations({ [path]: source })).toContain(`${path} ${fault}`);
  });

  it.each<[path: string, source: string]>([
    ['rollout/a.ts', "import type { ErrorInfo } from '../errors.js'"],
    ['rollout/a.ts', "import { type ErrorInfo, type DeployError } from '../errors.js'"],
    ['deploy/steps/a.ts', "import { b } from '../../rollout/b.js'"],
    ['deploy/steps/a.ts', "import { b } from '../lease/b.js'; import { c } from './c.js'"],
    ['adapters/a.ts', "import { NodeSSH } from 'node-ssh'; const s = AbortSignal.timeout(5)"],
    ['adapters/a.ts', 'socket.setTimeout(5); const options = { setTimeout: 5 }'],
    ['sandbox/a.ts', "import { Server } from 'ssh2'; setTimeout(() => {}, Date.now()); run(process.env.PATH)"],
    ['commands/sandbox/a.ts', "import { b } from '../../sandbox/b.js'"],
    ['commands/index.ts', "export const COMMANDS = { up: () => import('./sandbox/up.js') }"],
    ['main.ts', "import { COMMANDS } from './commands/index.js'; process.exit(0)"],
    ['cli/screen.ts', 'process.stdout.write(text)'],
    [
      'deploy/a.ts',
      'const { stdout, stderr } = await connection.run(command); file.write(stdout); writeSync(fd, stderr)',
    ],
    ['deploy/a.ts', '// process.exit(1), Date.now()\nconst text = "setTimeout"; new Date(clock.now())'],
  ])('%s may: %s', (path, source) => {
    expect(violations({ [path]: source })).toEqual([]);
  });

  it('follows static imports only to what is loaded at once', () => {
    const sources = {
      'main.ts': "import './cli/a.js'; import type { Z } from 'zod'; const l = () => import('./cli/heavy.js')",
      'cli/a.ts': "import yargs from 'yargs'; import { readFileSync } from 'node:fs'; import '../main.js'",
      'cli/heavy.ts': "import { z } from 'zod'",
    };
    expect(packagesLoadedWith('main.ts', sources)).toEqual(['yargs']);
    expect(packagesLoadedWith('cli/heavy.ts', sources)).toEqual(['zod']);
  });
});
