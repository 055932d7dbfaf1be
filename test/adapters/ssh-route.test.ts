import { describe, expect, it } from 'vitest';
import { parseClientConfig } from '../../src/adapters/ssh/client-config.js';
import { planRoute } from '../../src/adapters/ssh/route.js';
import type { SshSettings } from '../../src/config/settings.js';

const settings: SshSettings = {
  user: 'root',
  port: 22,
  knownHostsPath: '/home/ann/.ssh/known_hosts',
  hostKeys: 'strict',
  address: 'public',
};

const plan = (text: string, more: Partial<SshSettings> = {}, host = { id: 1, name: 'web-1', address: '203.0.113.5' }) =>
  planRoute(host, { ...settings, ...more }, parseClientConfig(text), '/home/ann');
const target = (text: string, more: Partial<SshSettings> = {}) => plan(text, more).at(-1);

describe('the way to a droplet', () => {
  it('is straight to its address when no ssh configuration speaks of it', () => {
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
        },
        knownName: '203.0.113.5',
        knownHostsFiles: ['/home/ann/.ssh/known_hosts'],
      },
    ]);
  });

  it.each([
    ['its name', 'Host web-1'],
    ['its address', 'Host 203.0.113.5'],
    ['a pattern', 'Host web-* db-*'],
    ['an equals sign and other letters', 'host=WEB-1'],
  ])('follows a section about %s', (_what, section) => {
    const text = `${section}\n  HostName 10.0.0.5\n  port 2222\n  User deploy\n  IdentityFile ~/.ssh/id_deploy\n`;
    expect(target(text)).toMatchObject({
      host: '10.0.0.5',
      port: 2222,
      user: 'deploy',
      knownName: '[10.0.0.5]:2222',
      identity: { files: ['/home/ann/.ssh/id_deploy'], required: false },
    });
  });

  it('takes the first value of an option, and every IdentityFile', () => {
    const text =
      'Host web-1\n  User first\n  IdentityFile ~/a\nHost web-*\n  User second\n  IdentityFile ~/b\n  Port 2200\n';
    expect(target(text)).toMatchObject({
      user: 'first',
      port: 2200,
      identity: { files: ['/home/ann/a', '/home/ann/b'] },
    });
  });

  it('passes over a section that excludes the droplet', () => {
    expect(target('Host web-* !web-1\n  User other\n')).toMatchObject({ user: 'root' });
  });

  it('puts a section about the host above deploy.yml, and deploy.yml above Host *', () => {
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

  it('puts Host * and what stands above all sections above what nobody wrote in deploy.yml', () => {
    const unwritten = ['user', 'port', 'knownHostsPath'] as const;
    const text = 'User everybody\nHost *\n  User late\n  Port 2200\n  UserKnownHostsFile ~/known "/b c/known"\n';
    expect(target(text, { unwritten })).toMatchObject({
      user: 'everybody',
      port: 2200,
      knownHostsFiles: ['/home/ann/known', '/b c/known'],
    });
    expect(target(text, { unwritten: ['port'] })).toMatchObject({
      user: 'root',
      port: 2200,
      knownHostsFiles: [settings.knownHostsPath],
    });
    expect(target(`${text}Host web-1\n  User deploy\n  Port 2022\n`, { unwritten })).toMatchObject({
      user: 'deploy',
      port: 2022,
    });
    expect(target('Host *\n  UserKnownHostsFile none\n', { unwritten })).toMatchObject({
      user: 'root',
      port: 22,
      knownHostsFiles: [settings.knownHostsPath],
    });
    const jump = plan(`${text}Host web-1\n  ProxyJump gate\n`, { port: 2022 })[0];
    expect(jump).toMatchObject({ host: 'gate', user: 'root', port: 2200 });
  });

  it('puts a section with the droplet’s name above one with its address, wherever they stand', () => {
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
      knownHostsFiles: ['/home/ann/.ssh/web-1', '/etc/known'],
    });
    expect(target('Host *\n  HostName %h\n')).toMatchObject({ host: '203.0.113.5' });
  });

  it('leaves a quoted path whole, spaces and all', () => {
    const known = (value: string) => target(`Host web-1\n  UserKnownHostsFile ${value}\n`)?.knownHostsFiles;
    expect(known('"/a b/known hosts"')).toEqual(['/a b/known hosts']);
    expect(known('"/a b/known hosts" /c')).toEqual(['/a b/known hosts', '/c']);
  });

  it('looks a host key up under its alias', () => {
    expect(target('Host web-1\n  HostKeyAlias Shop\n  Port 2222\n')).toMatchObject({ knownName: 'shop' });
  });

  it('goes through jump hosts, each with its own options', () => {
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

  it('understands a jump host by URL, by IPv6, and none', () => {
    expect(plan('Host web-1\n  ProxyJump ssh://ann@[2001:db8::1]:2200\n')[0]).toMatchObject({
      host: '2001:db8::1',
      port: 2200,
      user: 'ann',
    });
    expect(plan('Host web-1\n  ProxyJump none\nHost *\n  ProxyJump bastion\n')).toHaveLength(1);
  });

  it('finds out when jump hosts lead round in a circle', () => {
    expect(() => plan('Host web-1\n  ProxyJump a\nHost a\n  ProxyJump b\nHost b\n  ProxyJump a\n')).toThrow('circle');
  });

  it('names what it does not follow, and runs nothing', () => {
    const text = 'Include other\nMatch host web-1 exec "touch /tmp/never"\n  User x\nHost web-1\n  User deploy\n';
    expect(parseClientConfig(text).unsupported).toEqual(['Include', 'Match']);
    expect(target(text)).toMatchObject({ user: 'deploy' });
    expect(parseClientConfig('Host *\n  Include inner\n').unsupported).toEqual(['Include']);
    expect(parseClientConfig('Host *\n').unsupported).toEqual([]);
  });
});
