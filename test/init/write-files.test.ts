import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import type { PlannedFile } from '../../src/init/plan-files.js';
import { writeFiles } from '../../src/init/write-files.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'do-deploy-init-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
});

const file = (path: string, more: Partial<PlannedFile> = {}): PlannedFile => ({
  path,
  text: `${path}\n`,
  mode: 0o644,
  ...more,
});
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const all = () =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !statSync(join(root, path)).isDirectory())
    .sort();

it('writes files, their folders and their permissions, and nothing else', () => {
  writeFiles(root, [
    file('config/deploy.yml'),
    file('config/.env', { mode: 0o600 }),
    file('.github/workflows/deploy.yml'),
  ]);
  expect(all()).toEqual(['.github/workflows/deploy.yml', 'config/.env', 'config/deploy.yml']);
  expect(read('config/deploy.yml')).toBe('config/deploy.yml\n');
  expect(statSync(join(root, 'config/.env')).mode & 0o777).toBe(0o600);
});

it('never writes over a file that came into being meanwhile', () => {
  mkdirSync(join(root, 'config'));
  writeFileSync(join(root, 'config/deploy.yml'), 'mine');
  expect(() => writeFiles(root, [file('config/deploy.yml')])).toThrow('config/deploy.yml cannot be written');
  expect(read('config/deploy.yml')).toBe('mine');
  expect(all()).toEqual(['config/deploy.yml']);
});

it('writes nothing if one of the files cannot be written', () => {
  writeFileSync(join(root, '.github'), 'a file, no folder');
  expect(() => writeFiles(root, [file('config/deploy.yml'), file('.github/workflows/deploy.yml')])).toThrow(
    expect.objectContaining({ code: 'local-file', hint: expect.stringContaining('ls -ld') }),
  );
  expect(all()).toEqual(['.github']);
});

it('adds to a file with its permissions, also through a link', () => {
  writeFileSync(join(root, 'shared-ignores'), 'dist\n');
  chmodSync(join(root, 'shared-ignores'), 0o664);
  symlinkSync('shared-ignores', join(root, '.gitignore'));
  writeFiles(root, [file('.gitignore', { text: 'dist\nconfig/.env\n', extends: 'dist\n' })]);
  expect(lstatSync(join(root, '.gitignore')).isSymbolicLink()).toBe(true);
  expect(read('shared-ignores')).toBe('dist\nconfig/.env\n');
  expect(statSync(realpathSync(join(root, '.gitignore'))).mode & 0o777).toBe(0o664);
});

it('refuses to add to a file that has changed meanwhile', () => {
  writeFileSync(join(root, '.gitignore'), 'dist\nmore\n');
  expect(() => writeFiles(root, [file('.gitignore', { extends: 'dist\n' })])).toThrow('has changed meanwhile');
  expect(read('.gitignore')).toBe('dist\nmore\n');
  expect(all()).toEqual(['.gitignore']);
});
