import { describe, expect, it } from 'vitest';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { checkWords, prefixed } from '../../src/commands/shared/programs.js';
import { execProgram, oneOffProgram } from '../../src/deploy/operate/program-commands.js';
import type { StoredRelease } from '../../src/deploy/release/stored-release.js';

describe('the words of a command', () => {
  it('are those after --, whatever they look like', async () => {
    const words = ['', '--', '-x', '--json', '1.10', '007', ' a  b ', `"quoted'`, '$HOME', 'a=b', 'line\nfeed', 'true'];
    const invocation = await understand(['run', 'production', 'app', '--', ...words], COMMANDS);
    expect(invocation).toMatchObject({ kind: 'run', args: { service: 'app', rest: words, json: false } });
  });

  it('are refused where Node has changed them', () => {
    expect(() => checkWords(['ok', 'b\ufffdd'])).toThrow('not valid UTF-8');
    expect(() => checkWords(['ok', '\u{1f600}'])).not.toThrow();
  });
});

describe('output of several droplets', () => {
  it('has whole lines with the name before each, and keeps every byte', async () => {
    const written: Buffer[] = [];
    const out = prefixed('web-1', (chunk) => void written.push(chunk));
    for (const piece of ['on', 'e\ntw', 'o\n\n\u0000\u001b', '[2J', 'end']) await out.take(Buffer.from(piece));
    out.end();
    expect(Buffer.concat(written).toString()).toBe('web-1 | one\nweb-1 | two\nweb-1 | \nweb-1 | \u0000\u001b[2Jend\n');
  });

  it('needs no memory for a line without an end', async () => {
    let bytes = 0;
    const out = prefixed('web-1', (chunk) => {
      bytes += chunk.length;
    });
    for (let count = 0; count < 100; count += 1) await out.take(Buffer.alloc(10_000, 'x'));
    expect(bytes).toBeGreaterThan(900_000);
  });
});

const release = {
  id: '20261121T074500Z-v1',
  app: 'shop',
  environment: 'production',
  imageTag: 'v1',
  composeFiles: ['compose.yml'],
  envFiles: ['.env'],
  images: { app: { reference: 'shop:v1', pinned: 'shop@sha256:1', imageId: 'sha256:2' } },
  services: [],
} as unknown as StoredRelease;

describe('a program in a container of its own', () => {
  const program = { service: 'app', words: ["it's", 'b c'], name: 'shop-app-run-1', who: 'ann@desk' };

  it('runs with the images and files of the release, and is removed', () => {
    const { command, watch } = oneOffProgram(release, { ...program, skipEntrypoint: false, terminal: undefined });
    expect(command.script).toMatch(/cd releases\/20261121T074500Z-v1 && export DEPLOY_ENV=production IMAGE_TAG=v1/);
    expect(command.script).toMatch(/-f images\.yml --env-file \.env run --no-deps -T --label do-deploy\.one-off=/);
    expect(command.script).toMatch(/--rm --name shop-app-run-1 app 'it'\\''s' 'b c'\)$/);
    expect(watch.script).toContain('docker stop shop-app-run-1');
  });

  it('skips the entrypoint with a word that compose splits like a shell', () => {
    const { command } = oneOffProgram(release, { ...program, skipEntrypoint: true, terminal: undefined });
    expect(command.script).toMatch(/--entrypoint ''\\''it'\\''\\'\\'''\\''s'\\''' app 'b c'\)$/);
  });

  it('has the terminal of compose only where there is one', () => {
    const terminal = { type: 'xterm', size: { columns: 100, rows: 30 } };
    const { command } = oneOffProgram(release, { ...program, skipEntrypoint: false, terminal });
    expect(command.terminal).toEqual(terminal);
    expect(command.script).not.toContain(' -T ');
  });
});

describe('a program in a running container', () => {
  it('is marked, so that signals reach it', () => {
    const mark = 'ab12';
    const placed = execProgram({ app: 'shop', container: 'c0ffee', words: ['cat'], mark, terminal: undefined });
    expect(placed.command.script).toBe('exec docker exec -i --env DO_DEPLOY_EXEC=ab12 c0ffee cat');
    expect(placed.signal('INT').script).toContain('DO_DEPLOY_EXEC=ab12');
    expect(placed.signal('INT').repeatable).toBe(false);
  });
});
