/** What the system says about a file is the user's to solve, never a fault in do-deploy. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listEnvironments } from '../../src/config/load.js';
import { DeployError } from '../../src/errors.js';
import { COMPOSE, createProject, deployYml, load } from './project-folder.js';

/** Files that permissions are to close; root passes over these, so that the test becomes somebody else. */
function closeFor(root: string, ...paths: string[]): void {
  for (const path of paths) chmodSync(join(root, path), 0);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  onTestFinished(() => {
    if (isRoot) process.seteuid?.(0);
    for (const path of paths) chmodSync(join(root, path), 0o755);
  });
}

function project(...lines: string[]): string {
  const root = createProject({
    ...COMPOSE,
    'config/deploy.yml': deployYml('files: [www/, config/.env.test, .env]', 'ssh: { key: keys/id }', ...lines),
    'config/.env': 'DO_TOKEN=dop_v1_secret\n',
    'config/.env.test': 'A=b\n',
    '.env': 'A=b\n',
    'www/a': '',
    'www/deep/b': '',
    'keys/id': '',
    'scripts/start-up.sh': '',
  });
  chmodSync(root, 0o755);
  return root;
}

async function errorOf(root: string): Promise<string> {
  const error = await load(root).catch((thrown: unknown) => thrown);
  if (!(error instanceof DeployError)) throw error;
  expect(error).toMatchObject({ source: 'user' });
  const { problems = [] } = error as { problems?: { place: string; message: string }[] };
  return [error.message, ...problems.map(({ place, message }) => `${place}: ${message}`)].join('\n');
}

describe('without permission to read', () => {
  const DENIED = 'cannot be read: permission denied (EACCES)';

  it.each([
    ['config', `config/deploy.yml: ${DENIED}`],
    ['config/deploy.yml', `config/deploy.yml: ${DENIED}`],
    ['config/.env', `config/.env: ${DENIED}`],
    ['.env', `.env: ${DENIED}`],
    ['www', `config/deploy.yml:3: www ${DENIED}`],
    ['www/deep', `config/deploy.yml:3: www/deep ${DENIED}`],
    ['www/a', `config/deploy.yml:3: www/a ${DENIED}`],
    ['config/.env.test', `config/deploy.yml:3: config/.env.test ${DENIED}`],
    ['compose', `compose/docker-compose.yml ${DENIED}`],
    ['compose/docker-compose.yml', `compose/docker-compose.yml ${DENIED}`],
    ['scripts', `scripts/start-up.sh ${DENIED}`],
    ['keys', `config/deploy.yml:4: ssh.key: keys/id ${DENIED}`],
    ['keys/id', `config/deploy.yml:4: ssh.key: keys/id ${DENIED}`],
  ])('%s, that is said', async (path, expected) => {
    const root = project();
    closeFor(root, path);
    expect(await errorOf(root)).toContain(expected);
  });

  it('the whole project, that is said', async () => {
    const root = project();
    closeFor(root, '.');
    expect(await errorOf(root)).toContain(DENIED);
    await expect(listEnvironments({ cwd: root, env: { HOME: root } })).rejects.toBeInstanceOf(DeployError);
  });
});

describe('a path that leads nowhere', () => {
  it('because the folder is gone, is reported', async () => {
    const root = project();
    rmSync(root, { recursive: true });
    expect(await errorOf(root)).toMatch(/environment|does not exist/);
  });

  it('because a part of it is a file, or its name is too long, is reported', async () => {
    const root = project();
    writeFileSync(
      join(root, 'config/deploy.yml'),
      deployYml(`files: [www/a/b, ${'x'.repeat(300)}, ${'y/'.repeat(3000)}z]`, `ssh: { key: ${'k'.repeat(300)} }`),
    );
    const text = await errorOf(root);
    expect(text).toContain('www/a/b does not exist');
    expect(text).toContain(`${'x'.repeat(300)} cannot be read: its name is too long (ENAMETOOLONG)`);
    expect(text).toContain(`${'k'.repeat(300)} cannot be read: its name is too long (ENAMETOOLONG)`);
  });

  it('because links go round, is reported', async () => {
    const root = createProject(COMPOSE);
    mkdirSync(join(root, 'config'));
    symlinkSync('deploy.yml', join(root, 'config/deploy.yml'));
    expect(await errorOf(root)).toContain('config/deploy.yml: cannot be read: too many symbolic links (ELOOP)');
  });
});
