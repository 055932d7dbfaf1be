/** What of a release differs, and what is never told. */

import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readComposeProject, readEnvText } from '../../../src/config/compose-project.js';
import { namesSecret } from '../../../src/config/harmless.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { compareFiles } from '../../../src/deploy/plan/compare-files.js';
import { type Compared, compareImages, compareServices } from '../../../src/deploy/plan/compare-services.js';
import { readReleaseFiles } from '../../../src/deploy/plan/read-files.js';
import type { Wanted } from '../../../src/deploy/plan/wanted.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { estimate } from '../../../src/rollout/estimate.js';
import type { HistoryEntry } from '../../../src/rollout/model.js';

const READ = { project: readComposeProject, variables: readEnvText, namesSecret };
const CURRENT = {
  app: 'shop',
  id: 'r1',
  envFiles: ['config/.env'],
  composeFiles: ['compose.yml'],
  services: [],
  images: {},
};

/** A droplet whose current release has these files, with a real shell. */
async function onDroplet<T>(
  files: Record<string, { text: string; mode?: number }>,
  task: (member: Member, commands: RemoteCommand[]) => Promise<T>,
): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), 'do-deploy-plan-'));
  const commands: RemoteCommand[] = [];
  try {
    for (const [path, { text, mode = 0o644 }] of Object.entries(files)) {
      const place = join(home, 'do-deploy/shop/releases/r1', path);
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, text);
      await chmod(place, mode);
    }
    const run = (command: RemoteCommand) => {
      commands.push(command);
      return new Promise((done) =>
        execFile('sh', ['-c', command.script], { env: { PATH: process.env.PATH, HOME: home } }, (_, stdout) =>
          done({ code: 0, stdout, stderr: '' }),
        ),
      );
    };
    const found = new Map(Object.entries(files).map(([path, { text }]) => [path, text]));
    const survey = { releases: [CURRENT], current: 'r1', found };
    return await task({ connection: { run }, survey } as unknown as Member, commands);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** What would be deployed; a file's text stands for its hash. */
function wanted(files: Record<string, string>, hidden: string[] = []): Wanted {
  return {
    run: { ...CURRENT, environment: 'production', imageTag: 'v2' },
    files: new Map(Object.entries(files)),
    read: async (path) => files[path],
    isPrivate: (path) => hidden.includes(path),
  };
}

describe('files', () => {
  const OLD = {
    'compose.yml': { text: 'services: {}\n' },
    'nginx.conf': { text: 'gzip off;\nlisten 80;\n' },
    'config/.env': { text: 'KEY=5ecre7-old\nGONE=5ecre7-gone\nSAME=1\n', mode: 0o600 },
    'tls.key': { text: '5ecre7-key-old\n', mode: 0o600 },
    'old.txt': { text: 'old\n' },
  };
  const NOW = {
    'compose.yml': 'services: {}\n',
    'nginx.conf': 'gzip on;\nlisten 80;\n',
    'config/.env': 'KEY=5ecre7-now\nSAME=1\nNEW=5ecre7-new\n',
    'tls.key': '5ecre7-key-now\n',
    'new.txt': 'new\n',
    'new.key': '5ecre7-new-key\n',
  };

  it('are compared by their hashes; only what differs is read, and what is private is never told', async () => {
    await onDroplet(OLD, async (member, commands) => {
      const hiddenTexts: string[] = [];
      const { files } = await compareFiles(member, wanted(NOW, ['new.key']), READ, (text) => hiddenTexts.push(text));
      expect(files).toEqual([
        {
          path: 'config/.env',
          change: 'changed',
          isPrivate: true,
          variables: { added: ['NEW'], changed: ['KEY'], removed: ['GONE'] },
        },
        { path: 'new.key', change: 'added', isPrivate: true },
        { path: 'new.txt', change: 'added', diff: '@@ -0,0 +1 @@\n+new' },
        { path: 'nginx.conf', change: 'changed', diff: '@@ -1,2 +1,2 @@\n-gzip off;\n+gzip on;\n listen 80;' },
        { path: 'old.txt', change: 'removed' },
        { path: 'tls.key', change: 'changed', isPrivate: true },
      ]);
      expect(JSON.stringify(files)).not.toContain('5ecre7');
      expect(hiddenTexts.join()).toContain('5ecre7-old');
      expect(commands.map(({ name, reads, args }) => [name, reads, args.paths])).toEqual([
        ['read-files', true, ['config/.env', 'nginx.conf', 'old.txt', 'tls.key']],
      ]);
    });
  });

  it('passwords that stand in a file itself are masked, and variables are not', async () => {
    const now = [
      'services:',
      '  app:',
      '    environment:',
      '      DATABASE_URL: "postgres://u:p%20s19-literal@db/x"',
      '      DB_PASSWORD: hunter2-literal',
      '      - API_TOKEN=abc-literal',
      '      OTHER_PASSWORD: $OTHER_PASSWORD',
      '      MODE: fast',
    ].join('\n');
    await onDroplet({ 'compose.yml': { text: 'services:\n' } }, async (member) => {
      const { files } = await compareFiles(member, wanted({ 'compose.yml': now }), READ, undefined);
      expect(files[0]?.diff).not.toContain('literal');
      for (const kept of ['postgres://u:[secret]@db/x', 'OTHER_PASSWORD: $OTHER_PASSWORD', 'MODE: fast'])
        expect(files[0]?.diff).toContain(kept);
    });
  });

  it('are not shown when they are binary or long', async () => {
    const long = `${'x'.repeat(70_000)}\n`;
    await onDroplet({ 'a.bin': { text: 'a\0b' }, 'b.txt': { text: 'short' } }, async (member) => {
      const { files } = await compareFiles(member, wanted({ 'a.bin': 'a\0c', 'b.txt': long }), READ, undefined);
      expect(files).toEqual([
        { path: 'a.bin', change: 'changed' },
        { path: 'b.txt', change: 'changed' },
      ]);
    });
  });

  it('a name that looks like an option, or has quotes, is a name', async () => {
    await onDroplet({ "-n it's.txt": { text: 'here' } }, async (member) => {
      const read = await readReleaseFiles(member, { app: 'shop', release: 'r1' }, ["-n it's.txt", 'none'], new Set());
      expect([...read]).toEqual([["-n it's.txt", { text: 'here' }]]);
    });
  });
});

describe('images and services', () => {
  const DIGEST = { old: `sha256:${'1'.repeat(64)}`, now: `sha256:${'2'.repeat(64)}` };
  const text = (app = '') => `services:
  app:
    image: ghcr.io/acme/shop:\${IMAGE_TAG}
    env_file: [config/.env]
${app}
  db: { image: "postgres:17" }
`;
  const project = (compose: string) =>
    readComposeProject({
      composeFiles: ['compose.yml'],
      envFiles: [],
      environment: 'production',
      imageTag: 'v1',
      textOf: () => compose,
    });
  const current = {
    services: [{ name: 'app' }, { name: 'db' }],
    images: {
      app: { reference: 'ghcr.io/acme/shop:v1', pinned: `ghcr.io/acme/shop@${DIGEST.old}` },
      db: { reference: 'postgres:17', pinned: `postgres@${DIGEST.old}` },
    },
  } as unknown as StoredRelease;
  const compare = (changes: Partial<Compared>) => {
    const base: Compared = {
      current,
      release: undefined,
      before: project(text()),
      after: project(text()),
      files: [],
      digests: new Map([
        ['ghcr.io/acme/shop:v1', DIGEST.old],
        ['postgres:17', DIGEST.old],
      ]),
      unknown: () => 'nobody was asked',
      ...changes,
    };
    return compareServices(base, compareImages(base)).map(
      ({ service, action, because }) => `${service} ${action}: ${because}`,
    );
  };

  it('keep their containers where nothing of theirs changes', () => {
    expect(compare({})).toEqual([]);
    expect(compare({ files: [{ path: 'other.txt', change: 'changed' }] })).toEqual([]);
  });

  it('are recreated for another image, definition or env file', () => {
    const digests = new Map([
      ['ghcr.io/acme/shop:v1', DIGEST.now],
      ['postgres:17', DIGEST.old],
    ]);
    expect(compare({ digests })).toEqual(['app recreate: its image changes']);
    expect(compare({ after: project(text('    command: [serve]')) })).toEqual(['app recreate: its definition changes']);
    expect(compare({ files: [{ path: 'config/.env', change: 'changed' }] })).toEqual([
      'app recreate: config/.env changes',
    ]);
    const mounts = '    volumes: ["./nginx.conf:/etc/nginx.conf:ro"]';
    const mounting = { before: project(text(mounts)), after: project(text(mounts)) };
    expect(compare(mounting)).toEqual(["app recreate: it mounts files from the release's folder, which is a new one"]);
  });

  it('are perhaps recreated where the image is not known', () => {
    expect(compare({ digests: new Map() })).toEqual([
      'app perhaps recreate: nobody was asked',
      'db perhaps recreate: nobody was asked',
    ]);
    const files = [{ path: 'compose.yml', change: 'changed' as const }];
    expect(compare({ after: undefined, files })[0]).toMatch(/^app perhaps recreate: only compose/);
  });

  it('are created and removed', () => {
    const after = project(
      'services: { app: { image: "ghcr.io/acme/shop:v1", env_file: [config/.env] }, cron: { build: . } }',
    );
    expect(compare({ after, before: after })).toEqual(['cron create: it is new', 'db remove: no compose file has it']);
  });
});

describe('the project', () => {
  const read = (compose: string, env = '') =>
    readComposeProject({
      composeFiles: ['compose/a.yml'],
      envFiles: ['.env'],
      environment: 'production',
      imageTag: 'v2',
      textOf: (path) => (path === '.env' ? env : compose),
    });

  it('has images with the variables of env files; do-deploy’s own come first', () => {
    const image = '$'.concat('{HOST:-docker.io}/shop:$IMAGE_TAG');
    const compose = `services: { app: { image: "${image}", env_file: ../config/app.env } }`;
    expect(read(compose, 'HOST=ghcr.io/acme\nIMAGE_TAG=v7\n')?.get('app')).toMatchObject({
      image: 'ghcr.io/acme/shop:v2',
      envFiles: ['config/app.env'],
      mountsRelease: false,
    });
    expect(read(compose)?.get('app')?.image).toBe('docker.io/shop:v2');
  });

  it('has what a merge key brings', () => {
    const compose =
      'x-base: &base { image: "shop:1", volumes: ["./a:/a"] }\nservices: { app: { <<: *base }, b: { <<: *base, image: "b:1" } }';
    expect(read(compose)?.get('app')).toMatchObject({ image: 'shop:1', mountsRelease: true });
    expect(read(compose)?.get('b')?.image).toBe('b:1');
  });

  it.each([
    ['no YAML', 'services: ['],
    ['services from elsewhere', 'include: [other.yml]'],
    ['a service that extends another one', 'services: { app: { extends: { service: base } } }'],
  ])('is unknown with %s', (_, compose) => expect(read(compose)).toBeUndefined());
});

describe('the time', () => {
  const run = (minutes: number, droplets: number, more: Partial<HistoryEntry> = {}) =>
    ({
      command: 'deploy',
      outcome: 'succeeded',
      durationMs: minutes * 60_000,
      droplets: Array(droplets).fill(1),
      ...more,
    }) as HistoryEntry;

  it('is that of the middle run, per droplet', () => {
    expect(estimate([run(3, 3), run(20, 2), run(4, 2)], 'deploy', 5)).toEqual({ ms: 600_000, runs: 3 });
  });

  it('is unknown without a run of this command that succeeded on the whole fleet', () => {
    const others = [run(1, 1, { command: 'heal' }), run(1, 1, { outcome: 'failed' }), run(1, 1, { held: ['web-1'] })];
    expect(estimate([...others, run(1, 0)], 'deploy', 3)).toBeUndefined();
    expect(estimate([run(1, 1)], 'deploy', 0)).toBeUndefined();
  });
});
