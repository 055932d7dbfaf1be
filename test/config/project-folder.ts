import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runCommandLine } from '../../src/adapters/command-line.js';
import { type LoadedSettings, type LoadOptions, loadSettings } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problems.js';

/** A project's folder with these files (a name ending in `*` makes an executable), gone after the test. */
export function createProject(files: Record<string, string | Buffer>): string {
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-config-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path.replace(/\*$/, ''));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    if (path.endsWith('*')) chmodSync(file, 0o700);
  }
  return root;
}

export const COMPOSE = { 'compose/docker-compose.yml': 'services: {}\n' };
export const TOKEN = 'dop_v1_0123456789abcdef';

/** A deploy.yml with one environment named test; further lines stand at the top level. */
export function deployYml(...lines: string[]): string {
  return ['app: shop', 'environments: { test: { load_balancer: web } }', ...lines, ''].join('\n');
}

export async function load(root: string, options: Partial<LoadOptions> = {}): Promise<LoadedSettings> {
  const env = { DO_TOKEN: TOKEN, HOME: root, ...options.env };
  return loadSettings({ cwd: root, environment: 'test', runCommand: runCommandLine, ...options, env });
}

/** The problems as the user reads them: `place: message; remedy`. */
export async function problemsOf(root: string, options: Partial<LoadOptions> = {}): Promise<string[]> {
  try {
    await load(root, options);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ place, message, remedy }) => `${place}: ${message}; ${remedy}`);
  }
  return [];
}

/** Problems of a project that holds this deploy.yml and a compose file. */
export async function problemsIn(yaml: string, options: Partial<LoadOptions> = {}): Promise<string[]> {
  return problemsOf(createProject({ ...COMPOSE, 'config/deploy.yml': yaml }), options);
}
