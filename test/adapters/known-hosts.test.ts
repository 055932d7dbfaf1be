import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  appendKnownHost,
  authorityFor,
  fingerprintOf,
  hostKeyAlgorithms,
  judgeHostKey,
  knownHostLine,
  knownName,
  NotWritable,
  parseKnownHosts,
  withKnownHostsLocked,
} from '../../src/adapters/known-hosts.js';

/** Made by `ssh-keygen`, hashed by `ssh-keygen -H`, fingerprinted by `ssh-keygen -l`. */
const ED25519 = 'AAAAC3NzaC1lZDI1NTE5AAAAICbMqaUfbltpu1UKoqppFJ1TQgNadO2EUTSepivj0FDQ';
const OTHER = 'AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBbltpu1UKoqppFJ1TQgNadO2EUTSepivj0FDQ';
const RSA = Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('ssh-rsa'), Buffer.alloc(16, 1)]).toString('base64');

const key = Buffer.from(ED25519, 'base64');
const other = Buffer.from(OTHER, 'base64');
const judge = (text: string, name: string, presented = key) =>
  judgeHostKey(parseKnownHosts(text, 'known_hosts'), name, presented).kind;

describe('known_hosts', () => {
  it.each([
    ['a name', `web-1 ssh-ed25519 ${ED25519}`, 'web-1', 'known'],
    ['a name in other letters', `Web-1 ssh-ed25519 ${ED25519}`, 'web-1', 'known'],
    ['one of several names', `web-1,203.0.113.5 ssh-ed25519 ${ED25519} a comment`, '203.0.113.5', 'known'],
    ['tabs and spaces', `  web-1\t ssh-ed25519   ${ED25519}`, 'web-1', 'known'],
    ['a wildcard', `*.example.com ssh-ed25519 ${ED25519}`, 'web-1.example.com', 'known'],
    ['a dot is a dot', `web.example ssh-ed25519 ${ED25519}`, 'webXexample', 'unknown'],
    ['one character', `web-? ssh-ed25519 ${ED25519}`, 'web-1', 'known'],
    ['exactly one character', `web-? ssh-ed25519 ${ED25519}`, 'web-', 'unknown'],
    ['a negation', `*.example.com,!db.example.com ssh-ed25519 ${ED25519}`, 'db.example.com', 'unknown'],
    ['a port', `[203.0.113.5]:2222 ssh-ed25519 ${ED25519}`, '[203.0.113.5]:2222', 'known'],
    ['another port', `[203.0.113.5]:2222 ssh-ed25519 ${ED25519}`, '203.0.113.5', 'unknown'],
    ['IPv6', `2001:db8::5 ssh-ed25519 ${ED25519}`, '2001:db8::5', 'known'],
    ['another key', `web-1 ssh-ed25519 ${OTHER}`, 'web-1', 'changed'],
    ['one of its two keys', `web-1 ssh-ed25519 ${OTHER}\nweb-1 ssh-ed25519 ${ED25519}`, 'web-1', 'known'],
    ['only a key of another type', `web-1 ssh-rsa ${RSA}`, 'web-1', 'changed'],
    ['a revoked key', `@revoked * ssh-ed25519 ${ED25519}\nweb-1 ssh-ed25519 ${ED25519}`, 'web-1', 'revoked'],
    ['another key revoked', `@revoked * ssh-ed25519 ${OTHER}\nweb-1 ssh-ed25519 ${ED25519}`, 'web-1', 'known'],
    ['an authority is no host key', `@cert-authority * ssh-ed25519 ${ED25519}`, 'web-1', 'unknown'],
    ['a comment', `# web-1 ssh-ed25519 ${ED25519}`, 'web-1', 'unknown'],
    ['an unknown marker', `@new web-1 ssh-ed25519 ${ED25519}`, 'web-1', 'unknown'],
    ['a line cut short', `web-1 ssh-ed25519`, 'web-1', 'unknown'],
    ['a key that is none', 'web-1 ssh-ed25519 !!!!', 'web-1', 'unknown'],
    ['a key of another type than it says', `web-1 ssh-rsa ${ED25519}`, 'web-1', 'unknown'],
    ['Windows line breaks', `web-0 ssh-ed25519 ${OTHER}\r\nweb-1 ssh-ed25519 ${ED25519}\r\n`, 'web-1', 'known'],
    ['a malformed hash', `|1|abc ssh-ed25519 ${ED25519}`, 'web-1', 'unknown'],
  ])('%s', (_what, text, name, verdict) => {
    expect(judge(text, name)).toBe(verdict);
  });

  it('finds a host hashed by ssh-keygen -H', () => {
    const hashed = [
      `|1|CjmPw7o5yt4f89HUDOIhIJP1zKc=|vPpms/IYCYivl5nbYs0mhxgA4n0= ssh-ed25519 ${ED25519}`,
      `|1|qGG9FdNljeQOaCS9zxDonlJIe/M=|OjWuOE14Xbyhvm2Knd2QoWeTskg= ssh-ed25519 ${ED25519}`,
    ].join('\n');
    expect(judge(hashed, '203.0.113.5')).toBe('known');
    expect(judge(hashed, '[203.0.113.5]:2222')).toBe('known');
    expect(judge(hashed, '[203.0.113.5]:2223')).toBe('unknown');
    expect(judge(hashed, '203.0.113.5', other)).toBe('changed');
  });

  it('hashes a name so that it can be found but not read', () => {
    const line = knownHostLine('[203.0.113.5]:2222', key, true);
    expect(line).toMatch(/^\|1\|[A-Za-z0-9+/]{27}=\|[A-Za-z0-9+/]{27}= ssh-ed25519 AAAA/);
    expect(line).not.toContain('203');
    expect(judge(line, '[203.0.113.5]:2222')).toBe('known');
    expect(judge(line, '[203.0.113.5]:2222', other)).toBe('changed');
    expect(judge(line, '203.0.113.5')).toBe('unknown');
  });

  it('names the places of the expected keys', () => {
    const entries = parseKnownHosts(`# mine\n\nweb-1 ssh-ed25519 ${OTHER}\n`, '/home/ann/.ssh/known_hosts');
    expect(judgeHostKey(entries, 'web-1', key)).toMatchObject({
      kind: 'changed',
      expected: [{ place: '/home/ann/.ssh/known_hosts:3', type: 'ssh-ed25519' }],
    });
  });

  it('offers a known host only the types of key it is known by', () => {
    const entries = parseKnownHosts(`web-1 ssh-rsa ${RSA}\nweb-2 ssh-ed25519 ${ED25519}\n`, 'known_hosts');
    const offered = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'];
    expect(hostKeyAlgorithms(entries, 'web-1', offered)).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(hostKeyAlgorithms(entries, 'web-1', ['ssh-rsa', 'ssh-ed25519'])).toEqual(['ssh-rsa']);
    expect(hostKeyAlgorithms(entries, 'web-2', offered)).toEqual(['ssh-ed25519']);
    expect(hostKeyAlgorithms(entries, 'web-3', offered)).toBeUndefined();
  });

  it('finds certificate authorities', () => {
    const entries = parseKnownHosts(`@cert-authority *.example.com ssh-ed25519 ${ED25519}`, 'known_hosts');
    expect(authorityFor(entries, 'web-1.example.com')).toMatchObject({ place: 'known_hosts:1' });
    expect(authorityFor(entries, 'web-1')).toBeUndefined();
  });

  it('writes names and fingerprints as OpenSSH does', () => {
    expect(knownName('Web-1', 22)).toBe('web-1');
    expect(knownName('2001:DB8::5', 2222)).toBe('[2001:db8::5]:2222');
    expect(fingerprintOf(key)).toBe('SHA256:Dw/imjfBTpI2YruAuHQDneTIkJz3wgloZKfTiyJtzO8');
  });
});

describe('appending to known_hosts', () => {
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), 'known-hosts-'));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return path;
  };

  it('creates the folder and the file for their owner alone', () => {
    const file = join(folder(), '.ssh/known_hosts');
    withKnownHostsLocked(file, () => appendKnownHost(file, 'web-1 ssh-ed25519 AAAA'));
    expect(readdirSync(join(file, '..'))).toEqual(['known_hosts']);
    expect(readFileSync(file, 'utf8')).toBe('web-1 ssh-ed25519 AAAA\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
  });

  it('starts a new line after a file without a last line break', () => {
    const file = join(folder(), 'known_hosts');
    writeFileSync(file, 'web-0 ssh-ed25519 AAAA');
    appendKnownHost(file, 'web-1 ssh-ed25519 AAAA');
    appendKnownHost(file, 'web-2 ssh-ed25519 AAAA');
    expect(readFileSync(file, 'utf8')).toBe('web-0 ssh-ed25519 AAAA\nweb-1 ssh-ed25519 AAAA\nweb-2 ssh-ed25519 AAAA\n');
  });

  it('waits for another process that holds the lock, and takes over a lock that was left behind', async () => {
    const file = join(folder(), 'known_hosts');
    const holder = spawn('/bin/sh', [
      '-c',
      `: >${file}.lock; echo held; sleep 0.3; echo late >>${file}; rm ${file}.lock`,
    ]);
    await once(holder.stdout, 'data');
    withKnownHostsLocked(file, () => appendKnownHost(file, 'web-1 ssh-ed25519 AAAA'));
    expect(readFileSync(file, 'utf8')).toBe('late\nweb-1 ssh-ed25519 AAAA\n');

    writeFileSync(`${file}.lock`, '');
    expect(() => withKnownHostsLocked(file, () => 'done')).toThrow(NotWritable);
    utimesSync(`${file}.lock`, new Date(0), new Date(0));
    expect(withKnownHostsLocked(file, () => 'done')).toBe('done');
    expect(readdirSync(join(file, '..'))).toEqual(['known_hosts']);
  });

  it('is refused by name where a folder or a file cannot be written', () => {
    const file = join(folder(), 'known_hosts');
    writeFileSync(file, '');
    expect(() => withKnownHostsLocked(join(file, 'below/known_hosts'), () => {})).toThrow(NotWritable);
    expect(() => appendKnownHost(join(file, 'known_hosts'), 'x')).toThrow(NotWritable);
  });
});

describe('a file that OpenSSH wrote', () => {
  it('is read as ssh-keygen reads it', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'known-hosts-')), 'known_hosts');
    onTestFinished(() => rmSync(join(file, '..'), { recursive: true }));
    writeFileSync(file, `web-1 ssh-ed25519 ${ED25519}\n[web-2]:2222 ssh-ed25519 ${OTHER}\n`);
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
    const entries = parseKnownHosts(readFileSync(file, 'utf8'), file);
    expect(judgeHostKey(entries, 'web-1', key).kind).toBe('known');
    expect(judgeHostKey(entries, knownName('web-2', 2222), other).kind).toBe('known');
    appendKnownHost(file, knownHostLine('web-3', key, true));
    expect(execFileSync('ssh-keygen', ['-F', 'web-3', '-f', file], { encoding: 'utf8' })).toContain(ED25519);
  });
});
