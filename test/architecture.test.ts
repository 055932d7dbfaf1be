import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packagesLoadedWith, violations } from './support/architecture.js';

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

  it('load no package before the command is known', () => {
    expect(packagesLoadedWith('cli/main.ts', sources)).toEqual([]);
  });
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

    ['cli/deploy.ts', "import { b } from '../sandbox/b.js'", 'imports sandbox/b.ts'],
    ['cli/deploy.ts', "const b = await import('../sandbox/b.js')", 'imports sandbox/b.ts'],
    ['cli/main.ts', "import { b } from './sandbox.js'", 'imports cli/sandbox.ts, but not lazily'],

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
    ['cli/deploy.ts', 'process.exit(1)', 'uses process.exit'],
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
    ['cli/sandbox.ts', "import { b } from '../sandbox/b.js'"],
    ['cli/main.ts', "const b = await import('./sandbox.js'); process.exit(0)"],
    ['deploy/a.ts', '// process.exit(1), Date.now()\nconst text = "setTimeout"; new Date(clock.now())'],
  ])('%s may: %s', (path, source) => {
    expect(violations({ [path]: source })).toEqual([]);
  });

  it('follows static imports only to what is loaded at once', () => {
    const sources = {
      'cli/main.ts': "import './a.js'; import type { Z } from 'zod'; const l = () => import('./heavy.js')",
      'cli/a.ts': "import yargs from 'yargs'; import { readFileSync } from 'node:fs'; import './main.js'",
      'cli/heavy.ts': "import { z } from 'zod'",
    };
    expect(packagesLoadedWith('cli/main.ts', sources)).toEqual(['yargs']);
    expect(packagesLoadedWith('cli/heavy.ts', sources)).toEqual(['zod']);
  });
});
