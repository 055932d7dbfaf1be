/** What do-deploy reads in an ssh configuration, compared with OpenSSH's own reading: `ssh -G`. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientConfig } from '../../src/adapters/ssh/client-config.js';
import { type HostOptions, readOptions } from '../../src/adapters/ssh/host-options.js';
import { localUserName } from '../../src/adapters/ssh/local-user.js';
import { temporaryFolder } from './ssh-fixture.js';

const hasSsh = spawnSync('ssh', ['-V']).status === 0;

interface Read {
  hostName: string;
  user: string;
  port: number;
  files: string[];
  more: Record<string, string>;
}

/** The configuration of a host as do-deploy reads it; an error as its message. */
function ours(file: string, host: string, system?: string): Read | string {
  try {
    const config = new ClientConfig({ user: file, system, home: dirname(file), localUser: localUserName() });
    return comparable(readOptions(config.lookUp([host], localUserName())), host);
  } catch (error) {
    return (error as Error).message;
  }
}

function comparable(options: HostOptions, host: string): Read {
  const { proxy, strictHostKeyChecking } = options;
  const more: Record<string, string | undefined> = {
    proxyjump: proxy && 'jump' in proxy ? proxy.jump : undefined,
    proxycommand: proxy && 'command' in proxy ? proxy.command : undefined,
    hostkeyalias: options.hostKeyAlias?.toLowerCase(),
    identityagent: options.identityAgent?.replace(/^~/, homedir()),
    identitiesonly: options.identitiesOnly ? 'yes' : 'no',
    stricthostkeychecking: { yes: 'true', no: 'false', ask: 'ask', 'accept-new': 'accept-new' }[
      strictHostKeyChecking?.value ?? 'ask'
    ],
    hashknownhosts: options.hashKnownHosts ? 'yes' : 'no',
    connecttimeout: String(options.connectTimeoutSeconds ?? 'none'),
    userknownhostsfile: options.userKnownHostsFiles?.join(' '),
    globalknownhostsfile: options.globalKnownHostsFiles?.join(' '),
  };
  return {
    hostName: (options.hostName ?? host).replaceAll('%h', host).toLowerCase(),
    user: options.user ?? localUserName(),
    port: options.port ?? 22,
    files: options.identityFiles,
    more: Object.fromEntries(Object.entries(more).filter((entry): entry is [string, string] => entry[1] !== undefined)),
  };
}

/** The same by OpenSSH; undefined when it refuses the configuration. */
function theirs(file: string, host: string): Read | undefined {
  const { status, stdout } = spawnSync('ssh', ['-G', '-F', file, host], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const lines = stdout.split('\n').map((line) => line.split(/ (.*)/s));
  const all = (keyword: string) => lines.filter(([name]) => name === keyword).map(([, value]) => value ?? '');
  const files = all('identityfile');
  const defaults = files.every((path) => /^~\/\.ssh\/id_\w+$/.test(path));
  const wanted =
    'proxyjump proxycommand hostkeyalias identityagent identitiesonly stricthostkeychecking hashknownhosts';
  const names = [...wanted.split(' '), 'connecttimeout', 'userknownhostsfile', 'globalknownhostsfile'];
  const more = names.flatMap((name) => {
    const [value] = all(name);
    const isDefault = /known_hosts2$/.test(value ?? '');
    return value === undefined || isDefault ? [] : [[name, value] as const];
  });
  return {
    hostName: all('hostname')[0] ?? '',
    user: all('user')[0] ?? '',
    port: Number(all('port')[0]),
    files: defaults ? [] : files,
    more: Object.fromEntries(more),
  };
}

function write(files: Record<string, string>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text.replaceAll('FOLDER', folder));
  }
  return join(folder, 'config');
}

const user = localUserName();

const CONFIGURATIONS: [what: string, config: string, hosts?: string[]][] = [
  ['nothing', ''],
  ['lines above all sections', 'User a\nPort 2200\nHost web-1\n  User b\n'],
  ['the first value', 'Host web-*\n  User a\nHost web-1\n  User b\n  Port 22\nHost *\n  Port 23\n'],
  ['negated patterns', 'Host !web-1 *\n  Port 9\nHost web-* !web-2\n  User z\n', ['web-1', 'web-2', 'db']],
  ['a negation alone', 'Host !web-1\n  Port 9\n', ['web-1', 'db']],
  ['one character', 'Host web-?\n  Port 9\n', ['web-1', 'web-10', 'web-']],
  ['the case of Host', 'Host Web-1\n  User a\n', ['web-1', 'Web-1']],
  ['the case of Match host', 'Match host Web-1\n  User a\n', ['web-1', 'WEB-1']],
  ['addresses', 'Host 203.0.113.*\n  Port 2\nMatch host 2001:db8::*\n  Port 3\n', ['203.0.113.5', '2001:db8::1']],
  ['an equals sign, tabs, comments', 'User=a\nPort = 22\nhost=web-1\n\tHostName\treal # x\n# Port 5\n'],
  ['quotes', 'Host "a b" "web-1"\n  IdentityFile "/a b/c"\n  IdentityFile \'/d e\'\n  IdentityFile /f\\ g\n'],
  ['quotes in the middle', 'IdentityFile /a"b c"/d\nIdentityFile "/x\\"y"\nIdentityFile /p\\q\n'],
  ['Windows line ends', 'Host web-1\r\n  Port 5\r\n  User a\r\n'],
  ['several files', 'IdentityFile ~/x\nIdentityFile none\nHost *\n  IdentityFile /y\n'],
  ['known_hosts files', 'UserKnownHostsFile /a /b "c d"\nGlobalKnownHostsFile none\n'],
  ['flags', 'IdentitiesOnly yes\nHashKnownHosts true\nStrictHostKeyChecking off\n'],
  ['other flags', 'IdentitiesOnly false\nStrictHostKeyChecking accept-new\nConnectTimeout 1m30\n'],
  ['a jump host before a command', 'ProxyJump a,b:22,c@d\nProxyCommand nc %h %p\n'],
  ['a command before a jump host', 'ProxyCommand nc "a b" %h # %p\nProxyJump a\n'],
  ['no command before a jump host', 'ProxyCommand none\nProxyJump a\n'],
  ['HostName with a token', 'Host web-*\n  HostName %h.example.com\n', ['web-1']],
  ['Match host after HostName', 'Host web-1\n  HostName real\nMatch host real\n  Port 7\nMatch host web-1\n  Port 8\n'],
  ['Match host with HostName of a token', 'HostName %h.lan\nMatch host web-1.lan\n  Port 7\n'],
  ['Match originalhost', 'HostName real\nMatch originalhost web-1\n  Port 7\n', ['web-1', 'db']],
  ['Match user', `Match user ${user}\n  Port 7\nMatch user other\n  Port 8\n  HostName x\n`],
  ['Match user after User', 'User a\nMatch user a\n  Port 7\n'],
  ['Match localuser', `Match localuser ${user} host web-*\n  Port 7\n`, ['web-1', 'db']],
  [
    'Match with lists and negations',
    'Match !host web-1,web-2 user *\n  Port 7\nMatch host=web-*,!web-2\n  User q\n',
    ['web-1', 'web-2', 'db'],
  ],
  ['Match all', 'Match all\n  Port 7\nMatch !all\n  User x\n'],
  ['Match final', 'Match final\n  User f\nMatch all\n  Port 3\nUser g\n'],
  [
    'Match final with all and a host',
    'Host web-1\n  HostName real\nMatch final host real\n  Port 7\nMatch final all\n  User x\n',
  ],
  ['Match canonical in a final reading', 'Match canonical\n  Port 9\nMatch final\n  User f\n'],
  ['Match canonical alone', 'Match canonical\n  Port 9\n'],
  ['Match exec that cannot matter', 'Match host nope exec "touch /tmp/never"\n  Port 5\n'],
  ['Match with a comment', 'Match host web-1 # user x\n  Port 5\n'],
  ['a section without lines', 'Host web-1\nHost *\n  Port 5\n'],
  ['IgnoreUnknown', 'IgnoreUnknown foo*,Bar\nFoobar x\nbar y\nPort 8\n'],
  ['an agent', 'IdentityAgent ~/agent.sock\nHost *\n  IdentityAgent none\n'],
  ['an alias', 'Host web-1\n  HostKeyAlias Shop\n'],
  ['too many arguments', 'User a b\n'],
  ['no argument', 'Host web-1\n  User\n'],
  ['an open quote', 'User "a\n'],
  ['a bad port', 'Port abc\n'],
  ['a port out of range', 'Port 65536\n'],
  ['a bad flag', 'StrictHostKeyChecking perhaps\n'],
  ['a bad time', 'ConnectTimeout soon\n'],
  ['all with others', 'Match all final\n  User a\n'],
  ['a bad criterion', 'Match planet earth\n  User a\n'],
  ['a criterion without argument', 'Match host\n  User a\n'],
  ['Include without a path', 'Include ""\n'],
];

it('ProxyJump none excludes no later ProxyCommand, as in releases of OpenSSH since 2025', () => {
  const file = write({ config: 'ProxyJump none\nProxyCommand nc %h %p\n' });
  expect(ours(file, 'web-1')).toMatchObject({ more: { proxycommand: 'nc %h %p' } });
});

describe.skipIf(!hasSsh)('an ssh configuration is read as OpenSSH reads it', () => {
  it.each(CONFIGURATIONS)('%s', (_what, config, hosts = ['web-1']) => {
    const file = write({ config });
    for (const host of hosts) {
      const expected = theirs(file, host);
      const read = ours(file, host);
      if (expected === undefined) expect(read, `${host}: refused`).toMatch(/config:\d+: /);
      else expect(read, host).toEqual(expected);
    }
  });

  it('with included files, in the sections that include them', () => {
    const file = write({
      config: [
        'Include FOLDER/first.conf',
        'Host web-*',
        '  Include FOLDER/d/*.conf FOLDER/nowhere',
        '  User late',
        'Host *',
        '  IdentityFile /last',
        '',
      ].join('\n'),
      'first.conf': 'Host web-1\n  Port 2201\n',
      'd/10.conf': 'User ten\nHost db\n  Port 10\nHost web-2\n  Port 12\n  Include FOLDER/deep.conf\n',
      'd/20.conf': 'User twenty\nMatch host web-1\n  IdentityFile /included\n',
      'd/.hidden.conf': 'User hidden\n',
      'deep.conf': 'HostName deep\nMatch all\n  HostKeyAlias deeper\n',
    });
    for (const host of ['web-1', 'web-2', 'db']) expect(ours(file, host), host).toEqual(theirs(file, host));
  });

  it('refusing files that include themselves', () => {
    const file = write({ config: 'Include FOLDER/config\n' });
    expect(theirs(file, 'web-1')).toBeUndefined();
    expect(ours(file, 'web-1')).toContain('too many nested Include');
  });

  it('whatever its lines are', () => {
    const word = fc.constantFrom(
      'web-1',
      'web-*',
      '*',
      '!web-1',
      'db',
      '"web-1"',
      '?eb-1',
      'a b',
      'x#y',
      "'q r'",
      'web-1,db',
    );
    const line = fc.oneof(
      fc.tuple(fc.constantFrom('Host ', 'Host=', 'host '), word).map((parts) => parts.join('')),
      fc
        .tuple(fc.constantFrom('Match host ', 'Match originalhost ', 'Match !host ', 'Match final host '), word)
        .map((parts) => parts.join('')),
      fc.constantFrom('Match all', 'Match final all', 'Match user root', 'Match', 'Host'),
      fc
        .tuple(
          fc.constantFrom('User ', 'HostName ', 'HostKeyAlias = ', '  Port ', 'IdentityFile '),
          fc.oneof(word, fc.constantFrom('a', '# c', 'real')),
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const file = write({ config: `${lines.join('\n')}\n` });
        const expected = theirs(file, 'web-1');
        const read = ours(file, 'web-1');
        // OpenSSH also refuses faults in sections about other hosts.
        if (expected !== undefined) expect(read).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('with that of the machine after that of the user', () => {
    const file = write({
      config: 'Host web-1\n  User a\n',
      'etc/ssh_config': 'Include extra/*.conf\nHost *\n  User b\n  Port 2200\n',
      'etc/extra/1.conf': 'HostName real\n',
    });
    // There is no flag of ssh for another system-wide file.
    expect(ours(file, 'web-1', join(dirname(file), 'etc/ssh_config'))).toMatchObject({
      user: 'a',
      port: 2200,
      hostName: 'real',
    });
    expect(ours(file, 'web-1', join(dirname(file), 'nowhere'))).toMatchObject({ user: 'a', port: 22 });
  });
});

describe('an ssh configuration', () => {
  it('is read without hanging or exhausting memory, whatever its bytes are', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'Host Match*?!="\\\'#\n\t %$', ...'{}~/,:@[]a1\0ü'),
      maxLength: 300,
    });
    fc.assert(
      fc.property(text, (config) => {
        const read = ours(write({ config }), 'web-1');
        expect(['string', 'object']).toContain(typeof read);
      }),
      { numRuns: 500 },
    );
  });

  it('is matched in linear time, whatever its patterns are', () => {
    const file = write({ config: `Host ${'*a'.repeat(2000)}b\n  User x\n` });
    expect(ours(file, 'a'.repeat(5000))).toMatchObject({ user: localUserName() });
  });

  it('is bounded when its files include each other many times', () => {
    const names = Array.from({ length: 12 }, (_, index) => `${index}.conf`);
    const many = Object.fromEntries(names.map((name) => [name, 'Include FOLDER/*.conf\n']));
    expect(ours(write({ ...many, config: 'Include FOLDER/0.conf\n' }), 'web-1')).toMatch(/too (large|many)/);
  });

  it('that cannot be read is named', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'config'));
    expect(ours(join(folder, 'config'), 'web-1')).toBe(`${folder}/config cannot be read (EISDIR)`);
    expect(ours(join(folder, 'nowhere'), 'web-1')).toMatchObject({ port: 22 });
  });
});
