/** The pages for beginners: their command lines, the ssh configuration and the scopes that they show. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TOKEN_SCOPES } from '../../src/adapters/digitalocean/call.js';
import { ClientConfig } from '../../src/adapters/ssh/client-config.js';
import { planRoute } from '../../src/adapters/ssh/route.js';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { codeBlocks, readRoot, section } from './markdown.js';

const GUIDES = ['getting-started', 'recipes', 'migrating'].map((name) => `docs/${name}.md`);

const root = mkdtempSync(join(tmpdir(), 'do-deploy-guides-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The lines of shell blocks, and `npx do-deploy …` in the text. */
function commandLines(page: string): string[] {
  const text = readRoot(page);
  const inBlocks = codeBlocks(text).flatMap(({ language, code }) => (language === 'sh' ? code.split('\n') : []));
  const inText = [...text.matchAll(/`npx (do-deploy [^`]+)`/g)].map(([, line = '']) => line);
  return [...inBlocks, ...inText].map((line) => line.replace(/\s+#.*$/, '').trim());
}

describe.each(GUIDES)('%s', (page) => {
  const lines = commandLines(page).flatMap((line) => /^(?:npx )?do-deploy (.+)$/.exec(line)?.[1] ?? []);

  it('has command lines that do-deploy understands to the last word', async () => {
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      const invocation = await understand(line.split(/\s+/), COMMANDS);
      expect(invocation, line).toMatchObject({ kind: 'run', args: { environment: 'production' } });
    }
  });
});

it('docs/migrating.md names commands in its tables that do-deploy understands', async () => {
  const rows = [...readRoot('docs/migrating.md').matchAll(/^\| `(?!do-deploy)[^|]+\| `([a-z][^|]*) \|$/gm)];
  const lines = rows
    .flatMap(([, cell = '']) => [...`\`${cell}`.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line))
    .filter((line) => / ?production( |$)/.test(line));
  expect(lines.length).toBeGreaterThan(12);
  for (const line of lines) {
    const invocation = await understand(line.split(' '), COMMANDS);
    expect(invocation, line).toMatchObject({ kind: 'run', args: { environment: 'production' } });
  }
});

describe('docs/getting-started.md', () => {
  /** Of the source of doctl 1.166: the commands, with the flags that the page may use. */
  const DOCTL: Record<string, readonly string[]> = {
    'auth init': [],
    'account get': [],
    'compute ssh-key import': ['public-key-file'],
    'compute ssh-key list': ['format'],
    'compute tag create': [],
    'compute droplet create': ['region', 'size', 'image', 'tag-names', 'ssh-keys', 'wait'],
    'compute droplet list': ['tag-name', 'format'],
    'compute droplet delete': [],
    'compute load-balancer create': ['name', 'region', 'tag-name', 'forwarding-rules', 'health-check', 'wait'],
    'compute load-balancer list': ['format'],
    'compute load-balancer delete': [],
    'compute certificate create': ['type', 'name', 'dns-names'],
    'compute certificate list': ['format'],
  };

  it('uses commands and flags that doctl has', () => {
    const lines = commandLines(GUIDES[0] ?? '').filter((line) => line.startsWith('doctl '));
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) {
      const name = Object.keys(DOCTL).find((one) => `${line} `.startsWith(`doctl ${one} `));
      expect(name, line).toBeDefined();
      const flags = [...line.matchAll(/ --([a-z-]+)/g)].map(([, flag = '']) => flag);
      expect(
        flags.filter((flag) => !DOCTL[name ?? '']?.includes(flag)),
        line,
      ).toEqual([]);
    }
  });

  it('lists every scope that the token needs', () => {
    const table = section(readRoot('docs/getting-started.md'), '5. A token for do-deploy');
    for (const scope of TOKEN_SCOPES) expect(table).toContain(`\`${scope}\``);
  });
});

describe('docs/recipes.md', () => {
  const jump = codeBlocks(readRoot('docs/recipes.md')).find(({ name }) => name === 'jump');

  it('shows an ssh configuration that leads to each web droplet through the bastion', () => {
    const user = join(root, 'ssh_config');
    writeFileSync(user, jump?.code ?? '');
    const place = { home: root, localUser: 'ann', env: {}, systemFolder: root };
    const yaml = codeBlocks(section(readRoot('docs/recipes.md'), 'Behind a jump host'));
    const { ssh } = parse(yaml.find(({ language }) => language === 'yaml')?.code ?? '') as { ssh: { user: string } };
    const settings = {
      user: ssh.user,
      port: 22,
      knownHostsPath: join(root, 'known_hosts'),
      hostKeys: 'strict' as const,
      address: 'private' as const,
    };
    const droplet = { id: 1, name: 'web-1', address: '10.114.0.3' };
    const { stops, notices } = planRoute(
      droplet,
      settings,
      new ClientConfig({ home: root, localUser: 'ann', user }),
      place,
    );
    expect(notices).toEqual([]);
    expect(stops.map(({ user: login, host, jump: isJump }) => [login, host, isJump])).toEqual([
      ['jump', '203.0.113.10', true],
      ['deploy', '10.114.0.3', false],
    ]);
  });
});
