import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ClientConfig } from '../../src/adapters/ssh/client-config.js';
import { loginCommand } from '../../src/adapters/ssh/login-command.js';
import { planRoute } from '../../src/adapters/ssh/route.js';
import type { SshSettings } from '../../src/config/settings.js';
import { temporaryFolder } from './ssh-fixture.js';

const settings: SshSettings = {
  user: 'root',
  port: 22,
  knownHostsPath: '/home/ann/.ssh/known_hosts',
  hostKeys: 'strict',
  address: 'public',
};

const place = { home: '/home/ann', localUser: 'ann', env: { AGENT: '/run/agent' }, systemFolder: '/etc/ssh' };
const web1 = { id: 1, name: 'web-1', address: '203.0.113.5' };

function route(text: string, more: Partial<SshSettings> = {}, host = web1) {
  const user = join(temporaryFolder(), 'config');
  writeFileSync(user, text);
  return planRoute(host, { ...settings, ...more }, new ClientConfig({ ...place, user }), place);
}

const plan = (text: string, more: Partial<SshSettings> = {}, host = web1) => route(text, more, host).stops;
const target = (text: string, more: Partial<SshSettings> = {}) => plan(text, more).at(-1);

describe('the route to a droplet', () => {
  it('leads straight to its address without a matching ssh configuration', () => {
    expect(plan('Host db-1\n  HostName 10.0.0.9\n')).toEqual([
      {
        label: 'web-1 (203.0.113.5:22)',
        jump: false,
        host: '203.0.113.5',
        port: 22,
        user: 'root',
        identity: {
          files: ['/home/ann/.ssh/id_ed25519', '/home/ann/.ssh/id_ecdsa', '/home/ann/.ssh/id_rsa'],
          required: false,
          only: false,
          certificates: [],
        },
        hostKey: {
          name: '203.0.113.5',
          files: ['/home/ann/.ssh/known_hosts'],
          globalFiles: ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
          revokedFiles: [],
          strictBecause: 'ssh.host_keys is strict',
        },
        algorithms: {
          offered: {
            serverHostKey: [
              'ssh-ed25519',
              'ecdsa-sha2-nistp256',
              'ecdsa-sha2-nistp384',
              'ecdsa-sha2-nistp521',
              'rsa-sha2-512',
              'rsa-sha2-256',
            ],
            hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
          },
          signatures: [
            'ssh-ed25519',
            'ecdsa-sha2-nistp256',
            'ecdsa-sha2-nistp384',
            'ecdsa-sha2-nistp521',
            'rsa-sha2-512',
            'rsa-sha2-256',
          ],
        },
        byHand: { keys: [], proxyCommand: false },
      },
    ]);
  });

  it.each<[what: string, text: string, more: Partial<SshSettings>, login: string]>([
    ['nothing special', '', {}, 'ssh -p 22 root@203.0.113.5'],
    ['a configuration of its own', '', { configPath: '/w/a b/ssh' }, "ssh -F '/w/a b/ssh' -p 22 root@203.0.113.5"],
    ['the usual configuration', '', { configPath: '/home/ann/.ssh/config' }, 'ssh -p 22 root@203.0.113.5'],
    ['a key', '', { keyPath: '/w/id' }, 'ssh -i /w/id -p 22 root@203.0.113.5'],
    [
      'a section about the name of the droplet',
      'Host web-1\n  HostName 10.0.0.9\n  Port 2222\n  User ann\n  IdentityFile /k/id\n  HostKeyAlias web\n  ProxyCommand nc %h %p\n',
      {},
      "ssh -i /k/id -o HostKeyAlias=web -o 'ProxyCommand=nc 10.0.0.9 2222' -p 2222 ann@10.0.0.9",
    ],
    ['what ssh finds by itself', 'Host *\n  IdentityFile /k/id\n', {}, 'ssh -p 22 root@203.0.113.5'],
    [
      'a jump host',
      'Host web-1\n  ProxyJump gate\nHost gate\n  HostName 2001:db8::1\n  Port 23\n  User ann\n',
      { configPath: '/w/ssh' },
      "ssh -F /w/ssh -J 'ann@[2001:db8::1]:23' -p 22 root@203.0.113.5",
    ],
  ])('by hand takes what its settings need: %s', (_, text, more, login) => {
    expect(loginCommand(plan(text, more))).toBe(login);
    expect(loginCommand(plan(text, more), '-v')).toBe(login.replace('ssh', 'ssh -v'));
  });

  it.each([
    ['its name', 'Host web-1'],
    ['its address', 'Host 203.0.113.5'],
    ['a pattern', 'Host web-* db-*'],
    ['an equals sign and a keyword in other letters', 'hOsT=web-1'],
  ])('follows a section about %s', (_what, section) => {
    const text = `${section}\n  HostName 10.0.0.5\n  port 2222\n  User deploy\n  IdentityFile ~/.ssh/id_deploy\n`;
    expect(target(text)).toMatchObject({
      host: '10.0.0.5',
      port: 2222,
      user: 'deploy',
      hostKey: { name: '[10.0.0.5]:2222' },
      identity: { files: ['/home/ann/.ssh/id_deploy'], required: false },
    });
  });

  it('uses the first value of an option, and every IdentityFile', () => {
    const text =
      'Host web-1\n  User first\n  IdentityFile ~/a\nHost web-*\n  User second\n  IdentityFile ~/b\n  Port 2200\n';
    expect(target(text)).toMatchObject({
      user: 'first',
      port: 2200,
      identity: { files: ['/home/ann/a', '/home/ann/b'] },
    });
  });

  it('skips a section that excludes the droplet', () => {
    expect(target('Host web-* !web-1\n  User other\n')).toMatchObject({ user: 'root' });
  });

  it('prefers a section about the host to deploy.yml, and deploy.yml to Host *', () => {
    const text =
      'User nobody\nHost *\n  User everybody\n  Port 2200\n  IdentityFile ~/everywhere\n  IdentitiesOnly yes\n';
    const keyPath = '/home/ann/project/key';
    expect(target(text, { keyPath })).toMatchObject({
      user: 'root',
      port: 22,
      identity: { files: [keyPath], required: true, only: true },
    });
    expect(target(text)).toMatchObject({ identity: { files: ['/home/ann/everywhere'], required: false } });
    expect(target(`${text}Host web-1\n  IdentityFile ~/mine\n`, { keyPath })).toMatchObject({
      identity: { files: ['/home/ann/mine'], required: false },
    });
  });

  it('prefers Host * and lines above all sections to the defaults of deploy.yml', () => {
    const unwritten = ['user', 'port', 'knownHostsPath'] as const;
    const text = 'User everybody\nHost *\n  User late\n  Port 2200\n  UserKnownHostsFile ~/known "/b c/known"\n';
    expect(target(text, { unwritten })).toMatchObject({
      user: 'everybody',
      port: 2200,
      hostKey: { files: ['/home/ann/known', '/b c/known'] },
    });
    expect(target(text, { unwritten: ['port'] })).toMatchObject({
      user: 'root',
      port: 2200,
      hostKey: { files: [settings.knownHostsPath] },
    });
    expect(target(`${text}Host web-1\n  User deploy\n  Port 2022\n`, { unwritten })).toMatchObject({
      user: 'deploy',
      port: 2022,
    });
    expect(target('Host *\n  UserKnownHostsFile none\n', { unwritten })).toMatchObject({
      user: 'root',
      port: 22,
      hostKey: { files: [settings.knownHostsPath, `${settings.knownHostsPath}2`] },
    });
    const jump = plan(`${text}Host web-1\n  ProxyJump gate\n`, { port: 2022 })[0];
    expect(jump).toMatchObject({ host: 'gate', user: 'root', port: 2200 });
  });

  it("prefers a section with the droplet's name to one with its address, in any order", () => {
    const text = 'Host 203.0.113.*\n  User by-address\n  Port 2200\nHost web-1\n  User by-name\n';
    expect(target(text)).toMatchObject({ user: 'by-name', port: 2200 });
    expect(target('Host 203.0.113.* !web-1\n  User other\n')).toMatchObject({ user: 'root' });
  });

  it('expands ~ and tokens', () => {
    const text = [
      'Host web-1',
      '  HostName %h.example.com',
      '  Port 2222',
      '  User deploy',
      '  IdentityFile %d/keys/%n-%h-%r-%p-100%%',
      '  IdentityFile "~/my keys/id"',
      '  IdentityFile none',
      '  UserKnownHostsFile ~/.ssh/%n /etc/known',
    ].join('\n');
    expect(target(text)).toMatchObject({
      host: 'web-1.example.com',
      identity: { files: ['/home/ann/keys/web-1-web-1.example.com-deploy-2222-100%', '/home/ann/my keys/id'] },
      hostKey: { files: ['/home/ann/.ssh/web-1', '/etc/known'] },
    });
    expect(target('Host *\n  HostName %h\n')).toMatchObject({ host: '203.0.113.5' });
  });

  it('keeps a quoted path with spaces in one piece', () => {
    const known = (value: string) => target(`Host web-1\n  UserKnownHostsFile ${value}\n`)?.hostKey.files;
    expect(known('"/a b/known hosts"')).toEqual(['/a b/known hosts']);
    expect(known('"/a b/known hosts" /c')).toEqual(['/a b/known hosts', '/c']);
  });

  it('looks up a host key by its alias', () => {
    expect(target('Host web-1\n  HostKeyAlias Shop\n  Port 2222\n')).toMatchObject({ hostKey: { name: 'shop' } });
  });

  it('leads through jump hosts, each with its own options', () => {
    const text = [
      'Host web-*',
      '  ProxyJump ann@bastion:2200,inner',
      'Host bastion',
      '  HostName bastion.example.com',
      '  Port 22',
      '  User ignored',
      'Host inner',
      '  HostName 10.0.0.1',
      '  User gate',
      '  IdentityFile ~/gate',
    ].join('\n');
    expect(plan(text, { port: 2022 })).toMatchObject([
      { label: 'bastion (bastion.example.com:2200)', host: 'bastion.example.com', port: 2200, user: 'ann' },
      { jump: true, host: '10.0.0.1', port: 22, user: 'gate', identity: { files: ['/home/ann/gate'] } },
      { host: '203.0.113.5', port: 2022, user: 'root' },
    ]);
  });

  it('follows the jump host of the first jump host, as ssh does', () => {
    const text = 'Host web-1\n  ProxyJump b\nHost b\n  ProxyJump a\n';
    expect(plan(text).map(({ host }) => host)).toEqual(['a', 'b', '203.0.113.5']);
  });

  it('accepts a jump host as a URL or an IPv6 address, and none', () => {
    expect(plan('Host web-1\n  ProxyJump ssh://ann@[2001:db8::1]:2200\n')[0]).toMatchObject({
      host: '2001:db8::1',
      port: 2200,
      user: 'ann',
    });
    expect(plan('Host web-1\n  ProxyJump none\nHost *\n  ProxyJump bastion\n')).toHaveLength(1);
  });

  it('is refused when jump hosts form a loop', () => {
    expect(() => plan('Host web-1\n  ProxyJump a\nHost a\n  ProxyJump b\nHost b\n  ProxyJump a\n')).toThrow(
      'ProxyJump of web-1 forms a loop',
    );
  });

  it('is stricter about unknown keys where the ssh configuration asks for it, and never laxer', () => {
    const unknown = (text: string, hostKeys: 'accept-new' | 'strict' = 'accept-new') =>
      target(text, { hostKeys })?.hostKey.strictBecause;
    for (const value of ['accept-new', 'no', 'off']) {
      expect(unknown(`StrictHostKeyChecking ${value}\n`), value).toBeUndefined();
      expect(unknown(`StrictHostKeyChecking ${value}\n`, 'strict'), value).toBe('ssh.host_keys is strict');
    }
    expect(unknown('Host *\n  StrictHostKeyChecking yes\n')).toMatch(
      /^StrictHostKeyChecking is yes \(\/.*\/config:2\)$/,
    );
    expect(unknown('Host web-*\n  StrictHostKeyChecking ask\n')).toMatch(/^StrictHostKeyChecking is ask/);
  });

  it('uses the agent that the ssh configuration names', () => {
    const socket = (text: string) => target(text, { agentSocket: '/run/usual' })?.identity.agentSocket;
    expect(socket('')).toBe('/run/usual');
    expect(socket('IdentityAgent none\n')).toBeUndefined();
    expect(socket('IdentityAgent SSH_AUTH_SOCK\n')).toBe('/run/usual');
    expect(socket('IdentityAgent "~/Library/Group Containers/agent.sock"\n')).toBe(
      '/home/ann/Library/Group Containers/agent.sock',
    );
    expect(socket('IdentityAgent $AGENT\n')).toBe('/run/agent');
    expect(socket(`IdentityAgent $${'{AGENT}'}-%n\n`)).toBe('/run/agent-web-1');
    expect(() => socket('IdentityAgent $OTHER\n')).toThrow(
      'IdentityAgent $OTHER: the environment variable OTHER is not set',
    );
  });

  it('leads through a command, or through a jump host, whichever is written first', () => {
    const text = 'Host web-1\n  ProxyCommand nc "%h" %p # %n %r %%\nHost *\n  ProxyJump gate\n';
    expect(plan(text)).toMatchObject([{ proxyCommand: { line: 'nc "203.0.113.5" 22 # web-1 root %' } }]);
    expect(plan('ProxyCommand none\nProxyJump gate\n')).toHaveLength(1);
    // The command of a jump host leads to the jump host; that of the droplet is replaced by the jump.
    const jump = 'Host web-1\n  ProxyJump a,b\nHost *\n  ProxyCommand nc %h %p\n';
    expect(plan(jump).map(({ host, proxyCommand }) => [host, proxyCommand?.line])).toEqual([
      ['a', 'nc a 22'],
      ['b', undefined],
      ['203.0.113.5', undefined],
    ]);
    const name = { id: 1, name: '$(touch /tmp/never)', address: '203.0.113.5' };
    expect(() => plan('ProxyCommand nc %h %p\n', {}, name)).toThrow(/ProxyCommand cannot be used for "\$\(touch/);
  });

  it('connects as the ssh configuration says', () => {
    const text =
      'ConnectTimeout 1m30\nAddressFamily inet6\nBindAddress 2001:db8::2\nHashKnownHosts yes\nRevokedHostKeys /r\n';
    expect(target(text)).toMatchObject({
      connectTimeoutMs: 90_000,
      family: 6,
      localAddress: '2001:db8::2',
      hostKey: { hashed: true, revokedFiles: ['/r'] },
    });
    expect(target('GlobalKnownHostsFile /a "/b c"\n')?.hostKey.globalFiles).toEqual(['/a', '/b c']);
    expect(target('GlobalKnownHostsFile none\n')?.hostKey.globalFiles).toEqual([]);
  });

  it('offers SHA-1 only where the ssh configuration asks for it', () => {
    const offered = (text: string) => {
      const { offered: lists, signatures } = target(text)?.algorithms ?? { offered: undefined, signatures: [] };
      return JSON.stringify([lists, signatures]).match(/"(ssh-rsa|[^"]*sha1[^"]*)"/g) ?? [];
    };
    expect(offered('')).toEqual([]);
    expect(offered('HostKeyAlgorithms +ssh-rsa\n')).toEqual(['"ssh-rsa"']);
    expect(offered('PubkeyAcceptedKeyTypes +ssh-rsa\n')).toEqual(['"ssh-rsa"']);
    expect(offered('Host web-1\n  MACs +hmac-sha1\nMACs hmac-sha2-256\n')).toEqual(['"hmac-sha1"']);
    expect(target('MACs ^hmac-sha2-512\nCiphers aes256-*\n')?.algorithms.offered).toMatchObject({
      hmac: ['hmac-sha2-512', 'hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256'],
      cipher: ['aes256-gcm@openssh.com', 'aes256-ctr', 'aes256-cbc'],
    });
    expect(target('HostKeyAlgorithms -ecdsa*,rsa*\n')?.algorithms.offered.serverHostKey).toEqual(['ssh-ed25519']);
    expect(() => target('KexAlgorithms sntrup*\n')).toThrow('KexAlgorithms sntrup* leaves nothing');
  });

  it.each([
    ['Match exec "touch /tmp/never"\n  User x', 'config:1: Match exec is not supported'],
    ['Match localnetwork 10.0.0.0/8\n  User x', 'config:1: Match localnetwork is not supported'],
    ['Host web-1\n  CanonicalizeHostname always', 'config:2: canonicalizehostname always is not supported'],
    ['PKCS11Provider /lib/x.so', 'config:1: pkcs11provider /lib/x.so is not supported'],
    ['KnownHostsCommand /bin/keys', 'config:1: knownhostscommand /bin/keys is not supported'],
    ['ProxyCommand x\nProxyUseFdpass yes', 'config:2: proxyusefdpass yes is not supported'],
    ['PubkeyAuthentication no', 'config:1: pubkeyauthentication no is not supported'],
    ['PreferredAuthentications password', 'config:1: preferredauthentications password is not supported'],
    ['BindInterface eth0', 'config:1: bindinterface eth0 is not supported'],
    ['IdentityFile ~bob/key', '~bob/key: write the whole path instead of ~bob'],
    ['IdentityFile %C', '%C: the token %C is not supported'],
  ])('is refused by name, with the way out, where %s cannot be followed', (text, message) => {
    const run = () => plan(`${text}\n`);
    expect(run).toThrow(message);
    const elsewhere = text.replaceAll(/^Match/gm, 'Match host db-1').replaceAll('web-1', 'db-1');
    expect(plan(`Host db-1\n${elsewhere}\n`)).toHaveLength(1);
  });

  it('is not refused where another value is in effect', () => {
    const text = 'Host web-1\n  PKCS11Provider none\nHost *\n  PKCS11Provider /lib/x.so\n';
    expect(plan(text)).toHaveLength(1);
  });

  it('reports keywords that it does not know', () => {
    const text = 'IgnoreUnknown Fancy*\nFancyOption x\nSomethingNew yes\nForwardAgent yes\nSendEnv LANG LC_*\n';
    expect(route(text).notices).toEqual([
      expect.stringMatching(/config:3: somethingnew is not known to do-deploy and was ignored$/),
    ]);
  });
});
