/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** ssh configurations and known_hosts: options, or a problem that names its place. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { authorityFor, hostKeyAlgorithms, judgeHostKey, parseKnownHosts } from '../../../src/adapters/known-hosts.js';
import { ClientConfig } from '../../../src/adapters/ssh/client-config.js';
import { ConfigProblem } from '../../../src/adapters/ssh/config-lines.js';
import { planRoute } from '../../../src/adapters/ssh/route.js';
import type { SshSettings } from '../../../src/config/settings.js';
import { sharedFolder } from '../folder.js';
import { expectThat, target } from '../target.js';
import { hostileWord, longText, spoiled } from '../words.js';

const VALID = [
  `Include conf.d/*
User deploy
Host web-* !web-9
  HostName %h.example.com
  Port 2222
  IdentityFile ~/.ssh/%r_key
  IdentityAgent $SSH_AUTH_SOCK
  ProxyJump ann@bastion:2200,[2001:db8::1]:22
Host bastion
  ProxyCommand nc -X connect %h %p
  UserKnownHostsFile "~/a b" /dev/null
Match host web-* user deploy
  StrictHostKeyChecking accept-new
  ConnectTimeout 1m30
Match final all
  HashKnownHosts yes
  KexAlgorithms +diffie-hellman-group14-sha1
  MACs -hmac-sha1
Host *
  AddressFamily inet
  GlobalKnownHostsFile none
`,
  'Host=a "b c" d\nMatch exec "true"\n User x\nMatch originalhost web-1,!web-2\n  Ciphers ^aes256-cbc\n',
];
const WORDS = [
  ...[
    'Include config',
    'Include ~/.ssh/config',
    'Include *',
    'Include conf.d/[',
    'Include conf.d/*a*a*a*a*a*a*a*a*b',
    'Include /dev/null',
    'Include ~root/x',
  ],
  ...[
    'Include conf.d/[a-z',
    'Include conf.d/[z-a]*',
    'Include conf.d/[!a]*',
    'Host',
    'Host *',
    'Host !web-1',
    'Host *a*a*a*a*a*a*b',
    'Match',
    'Match all',
  ],
  ...[
    'Match !all',
    'Match final',
    'Match canonical',
    'Match host',
    'Match host "',
    'Match tagged x',
    'Match exec false',
    'Match version 1',
    'Match all final',
  ],
  ...[
    'ProxyJump web-1',
    'ProxyJump none',
    'ProxyJump a,b,,c',
    'ProxyJump @:',
    'ProxyCommand %z',
    'ProxyCommand none',
    'IdentityFile %',
    'IdentityFile ${NOPE}',
  ],
  ...[
    'IdentityFile ${__proto__}',
    'IdentityFile ${constructor}',
    'IdentityFile ~root/x',
    'IdentityAgent $NOPE',
    'User "a',
    'User %u',
    'Port 0',
    'Port 1e9',
    'ConnectTimeout 9999999999w',
    `ConnectTimeout ${'1'.repeat(40)}x`,
  ],
  ...[
    'constructor x',
    '__proto__ x',
    'toString x',
    'IgnoreUnknown *',
    'CanonicalizeHostname yes',
    'HostKeyAlgorithms -*',
    'Ciphers nope',
    'HostName %h%h',
    "'",
    '\\',
    '"',
  ],
];

const settings: SshSettings = {
  ...{
    user: 'root',
    port: 22,
    knownHostsPath: '/home/ann/.ssh/known_hosts',
    hostKeys: 'accept-new',
    address: 'public',
  },
  unwritten: ['user', 'port', 'knownHostsPath'],
};

let folder: string | undefined;

function home(): string {
  folder ??= sharedFolder({ '.ssh/conf.d/one': 'User x\n', [`.ssh/conf.d/${'a'.repeat(200)}`]: 'Port 5\n' });
  return folder;
}

export const sshConfig = target({
  name: 'ssh-config',
  runs: 200,
  inputs: fc.tuple(
    fc.oneof(
      { weight: 12, arbitrary: spoiled(fc.constantFrom(...VALID), WORDS) },
      { weight: 1, arbitrary: longText },
      { weight: 1, arbitrary: longText.map((text) => `Host ${text}\nInclude ${text.slice(0, 200)}\n`) },
    ),
    fc.oneof(fc.constantFrom('web-1', 'bastion', 'a'.repeat(200)), hostileWord),
  ),
  check([text, name]) {
    mkdirSync(join(home(), '.ssh'), { recursive: true });
    const file = join(home(), '.ssh/config');
    writeFileSync(file, text);
    const config = new ClientConfig({ user: file, system: join(home(), 'none'), home: home(), localUser: 'ann' });
    const place = {
      home: home(),
      localUser: 'ann',
      env: { HOME: home(), SSH_AUTH_SOCK: '/run/agent' },
      systemFolder: '/etc/ssh',
    };
    try {
      const { stops } = planRoute({ id: 1, name, address: '203.0.113.5' }, settings, config, place);
      expectThat(stops.length >= 1 && stops.length <= 1_000, `there are ${stops.length} stops`);
      for (const { port, identity, hostKey } of stops) {
        expectThat(port > 0 && port < 65_536, `the port is ${port}`);
        const paths = [...identity.files, ...hostKey.files];
        expectThat(!paths.some((path) => /\[object|function |\[native/.test(path)), `the paths are ${paths}`);
      }
    } catch (error) {
      if (error instanceof RangeError && error.message.endsWith('forms a loop')) return;
      if (!(error instanceof ConfigProblem)) throw error;
      expectThat(/\/[^:]*(:\d+)?\b.*: |\/.* cannot be read/s.test(error.message), `no place: ${error.message}`);
    }
  },
});

const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIE4yRX6C7TbM8r3m1d5xP0aLs9vKqJ2fWcYzGhNtUoBi';
const OTHER = 'AAAAC3NzaC1lZDI1NTE5AAAAIBBBRX6C7TbM8r3m1d5xP0aLs9vKqJ2fWcYzGhNtUoBi';
const KNOWN = [
  `web-1,203.0.113.5 ssh-ed25519 ${KEY} ann\n[web-1]:2222 ssh-ed25519 ${OTHER}\n@revoked * ssh-ed25519 ${OTHER}\n@cert-authority *.example ssh-ed25519 ${OTHER}\n`,
  `# comment\n|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= ssh-ed25519 ${KEY}\n!web-1,* ssh-ed25519 ${OTHER}\n`,
];
const KNOWN_WORDS = [
  '@revoked',
  '@cert-authority',
  '@',
  '|1|',
  '|1||',
  '|2|a|b',
  '*',
  '!*',
  '[web-1]:22',
  KEY,
  OTHER,
  'ssh-rsa',
  'AAAA',
  '/////w==',
  '*a*a*a*a*a*b',
];

export const knownHosts = target({
  name: 'known-hosts',
  runs: 800,
  inputs: fc.tuple(
    fc.oneof(
      { weight: 10, arbitrary: spoiled(fc.constantFrom(...KNOWN), KNOWN_WORDS) },
      { weight: 1, arbitrary: longText },
    ),
    fc.oneof(fc.constantFrom('web-1', '[web-1]:2222', 'a'.repeat(300)), hostileWord),
  ),
  check([text, name]) {
    const entries = parseKnownHosts(text, '/f');
    expectThat(entries.length <= text.split('\n').length, `there are ${entries.length} entries`);
    const key = Buffer.from(KEY, 'base64');
    const verdict = judgeHostKey(entries, name, key);
    const holdsKey = entries.some((entry) => entry.key.equals(key));
    expectThat(verdict.kind !== 'known' || holdsKey, 'a key is trusted that is not in the file');
    hostKeyAlgorithms(entries, name, ['ssh-ed25519', 'rsa-sha2-512']);
    authorityFor(entries, name);
  },
});
