import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { defaultLogFolder, eventFiles, openLogFile } from '../../src/cli/log-file.js';

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

  it('the last 50 stay, with their events and dossiers, and no other file is removed', () => {
    const elsewhere = join(folder, '..', 'elsewhere');
    for (let run = 0; run < 60; run += 1) {
      const log = open(AT + run * 60_000);
      log.close();
      if (run === 0) symlinkSync(elsewhere, log.dossier);
      else if (run % 2 === 1) mkdirSync(log.dossier);
      if (run > 0) continue;
      for (const name of ['notes.log', 'mine/summary.txt', '../elsewhere/file']) {
        mkdirSync(dirname(join(folder, name)), { recursive: true });
        writeFileSync(join(folder, name), 'mine');
      }
    }
    const files = readdirSync(folder).sort();
    expect(files.filter((name) => name.endsWith('.log'))).toHaveLength(51);
    expect(files.filter((name) => name.endsWith('.ndjson'))).toHaveLength(50);
    expect(files).toEqual(expect.arrayContaining(['notes.log', 'mine']));
    expect(files[0]).toBe('20261121T075500Z-production-droplet-out-7.log');
    expect(files.filter((name) => /Z-.*\d$/.test(name))).toHaveLength(25);
    expect(readdirSync(elsewhere), 'a link is removed, not what it leads to').toEqual(['file']);
  });

  it('has its events beside it, and those of a failed run in its dossier', () => {
    const log = open();
    log.writeEvent('{}\n');
    log.close();
    log.writeEvent('{}\n');
    expect(readFileSync(log.eventsPath, 'utf8')).toBe('{}\n');
    expect(statSync(log.eventsPath).mode & 0o777).toBe(0o600);
    open(AT + 60_000).close();
    expect(eventFiles(folder, 'production').map((path) => path.slice(folder.length + 1))).toEqual([
      '20261121T074600Z-production-droplet-out-7.ndjson',
      '20261121T074600Z-production-droplet-out-7/events.ndjson',
      '20261121T074500Z-production-droplet-out-7.ndjson',
      '20261121T074500Z-production-droplet-out-7/events.ndjson',
    ]);
    expect(eventFiles(folder, 'staging')).toEqual([]);
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
