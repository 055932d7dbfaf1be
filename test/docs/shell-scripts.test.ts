// Runs shellcheck, if it is installed, on every shell script of the repository.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const scripts = [
  '.ci/run',
  ...['bench', 'scripts', 'test'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.sh'))
      .map((path) => join(folder, path)),
  ),
];
const installed = spawnSync('shellcheck', ['--version']).error === undefined;

describe('the shell scripts', () => {
  it.skipIf(!installed)('pass shellcheck', { timeout: 120_000 }, () => {
    expect(scripts).toEqual(expect.arrayContaining(['scripts/start-up.sh', 'scripts/e2e-packages.sh']));
    const { status, stdout } = spawnSync('shellcheck', scripts, { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
