/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** Inputs that once made do-deploy hang, fail as if by a fault of its own, or believe what it should not. */
import { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ClientConfig } from '../../src/adapters/ssh/client-config.js';
import { splitConfig } from '../../src/adapters/ssh/config-lines.js';
import { glob } from '../../src/adapters/ssh/glob.js';
import { requestHealth } from '../../src/adapters/ssh/health-request.js';
import { readOptions } from '../../src/adapters/ssh/host-options.js';
import type { Link } from '../../src/adapters/ssh/link.js';
import { planRoute } from '../../src/adapters/ssh/route.js';
import { countBusy, parseOpenConnections } from '../../src/deploy/drain/open-connections.js';
import { parseTraffic } from '../../src/deploy/drain/traffic-command.js';
import { parseContainers } from '../../src/deploy/droplet/containers-command.js';
import { readSurvey } from '../../src/deploy/droplet/survey-command.js';
import { readArchive } from '../../src/deploy/release/archive.js';
import { readComposeConfig } from '../../src/deploy/staging/compose-config.js';
import { parseImages } from '../../src/deploy/staging/release-images.js';
import { createRedactor } from '../../src/reporters/redactor.js';
import { cleanText } from '../../src/reporters/text.js';
import { oneContainer } from '../support/one-container.js';
import { sharedFolder } from './folder.js';

/** In ms of the processor; what these texts took before was minutes. */
const QUICK = 5_000;

function attempt(work: () => void): void {
  expect(work).toThrow();
}

const timeoutOf = (time: string) => ({
  keyword: 'connecttimeout',
  words: [time],
  rest: time,
  place: 'f:1',
  scope: 'general' as const,
});

function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

describe('a text of almost-matches takes no time', () => {
  const folder = sharedFolder({ [`files/${'a'.repeat(200)}`]: '' });
  const mark = '0'.repeat(32);
  it.each<[what: string, work: () => void]>([
    ['line breaks in a survey', () => readSurvey(`${mark}\n\n${mark} docker\n${'\n'.repeat(300_000)}x\n`)],
    ['spaces in a survey', () => readSurvey(`${mark}\n\n${mark} docker\n1${' '.repeat(300_000)}failed x\n`)],
    ['stars of an Include', () => glob(`${folder}/files/${'*a'.repeat(30)}b`)],
    [
      'spaces in an ssh configuration',
      () => splitConfig(`Host a${' '.repeat(200_000)}b\nHost a${' '.repeat(200_000)}\u2028`, 'f'),
    ],
    ['digits of a time', () => attempt(() => readOptions([timeoutOf(`${'1'.repeat(60)}x`)]))],
    ['backslashes before a secret', () => createRedactor(['correct-horse'])('\\'.repeat(200_000))],
    ['blanks', () => createRedactor(['correct-horse'])(`${' '.repeat(200_000)}a!`)],
    ['most of a secret', () => createRedactor([`${'a'.repeat(200_000)}b`])(`${'a'.repeat(200_000)}c`)],
    ['an escape sequence', () => cleanText(`\u001b${';#'.repeat(50_000)}`)],
  ])('%s', (_, work) => {
    expect(cpuOf(work)).toBeLessThan(QUICK);
  });
});

describe('an answer of a droplet', () => {
  it('without a random mark is no survey', () => {
    expect(readSurvey('\n\n home\n/evil\n').home).toBe('');
    expect(readSurvey('mark\n\nmark home\n/evil\n').home).toBe('');
  });

  it('with a time that no date can hold has no time', () => {
    const mark = 'a'.repeat(32);
    expect(readSurvey(`${mark}\n\n${mark} clock\n1e300\n`).clock).toBeUndefined();
    expect(() => parseContainers('now 1e300\n[]')).toThrow(expect.objectContaining({ code: 'docker-answer' }));
  });

  it('with ports that are none leaves them out', () => {
    const text = oneContainer(80).replace('"HostPort":"80"', '"HostPort":"1e300"');
    expect(parseContainers(text).containers[0]?.ports).toEqual([]);
    const compose = { services: { web: { image: 'a', ports: [{ published: 1e300 }, { published: '80' }] } } };
    expect(readComposeConfig(JSON.stringify(compose), { app: 'shop', build: false })[0]?.published).toEqual([80]);
  });

  it.each([-1, 0.5])('with %f replicas is refused', (replicas) => {
    const text = JSON.stringify({ services: { web: { image: 'a', scale: replicas } } });
    const read = () => readComposeConfig(text, { app: 'shop', build: false });
    expect(read).toThrow(expect.objectContaining({ code: 'compose-config' }));
  });

  it.each(['', 'null', '{"a":1}', '[{}]'])('about images that is not understood is named: %j', (text) => {
    expect(() => parseImages(text, 'web-1')).toThrow(
      expect.objectContaining({ code: 'docker-answer', source: 'external', droplet: 'web-1' }),
    );
  });

  it('with a counter that is no number counts as not readable, never as quiet', () => {
    const ports = [{ host: 80, container: 80, pid: 1 }];
    expect(parseTraffic('rule 80 x\nopen x\n', ports, 80)).toEqual({
      all: undefined,
      checks: undefined,
      open: undefined,
    });
    expect(parseOpenConnections('connection 10.0.0.1:1 x 0 0 0 0 0 0\nreadable\n', true)).toBeUndefined();
    const readable = parseOpenConnections('connection 10.0.0.1:1 5 0 0 0 0 0 0\nreadable\n', true);
    expect(countBusy(readable ?? [], 0)).toBe(1);
  });

  it('that is an archive without its end is none', async () => {
    const header = Buffer.alloc(512);
    header.write('folder');
    header.write('0000644\0', 100);
    header.write('00000000005\0', 124);
    header.write('        5', 148);
    header.write('ustar\0', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    expect(await readArchive(gzipSync(Buffer.concat([header, Buffer.alloc(1_024)])))).toBeUndefined();
  });

  it('is the same health however it is cut', async () => {
    const text = `HTTP/1.1 100 x\r\n${'a\n'.repeat(20_000)}\r\nHTTP/1.1 200 OK\r\n`;
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    setImmediate(() => {
      for (const letter of text) stream.push(letter);
    });
    const link = { ssh: { forwardOut: async () => stream }, onLost: () => () => {} } as unknown as Link;
    const clock = { now: () => 0, sleep: () => new Promise<void>(() => {}) };
    const request = { protocol: 'http', address: '203.0.113.5', port: 80, path: '/', proxyProtocol: false } as const;
    const run = async () => ({ code: 1, stdout: '', stderr: '' });
    const host = { id: 1, name: 'web-1', address: '203.0.113.5' };
    const before = process.cpuUsage();
    expect(await requestHealth(link, host, { ...request, timeoutMs: 60_000 }, clock, run)).toMatchObject({
      status: 200,
    });
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(QUICK);
  });
});

describe('foreign text', () => {
  it('keeps no character that turns the direction of a line or breaks it', () => {
    expect(cleanText('a\u202etxt.exe\u2066b\u2028c')).toBe('atxt.exebc');
  });

  it('shows no secret with a percent sign in JSON inside JSON', () => {
    const secret = 'sk_live%20q\\n7';
    const text = JSON.stringify(JSON.stringify({ key: secret }));
    expect(createRedactor([secret])(text)).toContain('[secret]');
  });
});

it.each([
  ['IdentityFile ${NOPE}', 'the environment variable NOPE is not set'],
  ['IdentityFile ${constructor}', 'the environment variable constructor is not set'],
  ['IdentityFile /a/%z', 'the token %z is not supported'],
  ['IdentityAgent $NOPE', 'the environment variable NOPE is not set'],
  ['Ciphers nope', 'leaves nothing that do-deploy can use'],
])('an ssh configuration with %s is refused by its line', (line, message) => {
  const home = sharedFolder({ config: `# one\n${line}\n` });
  const config = new ClientConfig({ user: `${home}/config`, home, localUser: 'ann' });
  const settings = { user: 'root', port: 22, knownHostsPath: '/k', hostKeys: 'accept-new', address: 'public' } as const;
  const plan = () =>
    planRoute({ id: 1, name: 'web-1', address: '203.0.113.5' }, settings, config, {
      ...{ home, localUser: 'ann', env: {}, systemFolder: '/etc/ssh' },
    });
  expect(plan).toThrow(`${home}/config:2: `);
  expect(plan).toThrow(message);
});
