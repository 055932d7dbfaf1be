import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { defaultLogFolder, openLogFile } from '../../src/cli/log-file.js';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'do-deploy-log-')), 'state');
  onTestFinished(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
});

const AT = Date.parse('2026-11-21T07:45:00Z');
const open = (now = AT, pid = 7) =>
  openLogFile(folder, { command: 'droplet out', environment: 'production', now, pid });

describe('the log of a run', () => {
  it('is named after the run, and only its owner may read it', () => {
    const log = open();
    log.write('one\n');
    log.write('two\n');
    log.close();
    log.write('after the end\n');
    expect(log.path).toBe(join(folder, '20261121T074500Z-production-droplet-out-7.log'));
    expect(readFileSync(log.path, 'utf8')).toBe('one\ntwo\n');
    expect(statSync(log.path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('the last 50 stay, and no other file is removed', () => {
    open().close();
    writeFileSync(join(folder, 'notes.log'), 'mine');
    for (let run = 1; run < 60; run += 1) open(AT + run * 60_000).close();
    const files = readdirSync(folder).sort();
    expect(files).toHaveLength(51);
    expect(files).toContain('notes.log');
    expect(files[0]).toBe('20261121T075500Z-production-droplet-out-7.log');
    expect(files.at(-2)).toBe('20261121T084400Z-production-droplet-out-7.log');
  });

  it('ends where it would become too long', () => {
    const log = open();
    const piece = 'x'.repeat(16 * 1024 * 1024);
    for (let count = 0; count < 5; count += 1) log.write(piece);
    log.close();
    const text = readFileSync(log.path, 'utf8');
    expect(text.length).toBeLessThan(33 * 1024 * 1024);
    expect(text.slice(-40)).toMatch(/The log ends here: it is too long\.\n$/);
  });

  it('that cannot be created is an error, which names the folder', () => {
    writeFileSync(folder, 'a file');
    expect(() => open()).toThrow(folder);
    chmodSync(folder, 0o600);
  });
});

it('has its place in the folder for state', () => {
  expect(defaultLogFolder({ HOME: '/home/ann' })).toBe('/home/ann/.local/state/do-deploy');
  expect(defaultLogFolder({ HOME: '/home/ann', XDG_STATE_HOME: '/var/state' })).toBe('/var/state/do-deploy');
  expect(defaultLogFolder({ HOME: '/home/ann', XDG_STATE_HOME: 'relative' })).toBe('/home/ann/.local/state/do-deploy');
  expect(defaultLogFolder({})).toBeUndefined();
});
