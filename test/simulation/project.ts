/** The project that is deployed in the simulation: its files, its services and their images. */
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { Secret } from '../../src/config/secret.js';
import type { Settings, SourceFile } from '../../src/config/settings.js';
import { checksums, sha256 } from '../../src/deploy/release/digests.js';
import { contentHash, fileInMemory, type ReleaseFile, storedReleaseOf } from '../../src/deploy/release/draft.js';
import type { StoredRelease } from '../../src/deploy/release/stored-release.js';
import { readComposeConfig } from '../../src/deploy/staging/compose-config.js';
import type { LocalFiles } from '../../src/ports.js';

/** `single`: one service; `bare`: one without a healthcheck; `pair`: nginx in front of the app; `full`: also a replica, a one-shot and a worker. */
export type AppKind = 'single' | 'bare' | 'pair' | 'full';

export interface Service {
  name: string;
  image: string;
  replicas: number;
  /** It has a healthcheck. */
  checked: boolean;
  published: boolean;
  oneShot: boolean;
  /** Its behaviour is the release's; other services are always well. */
  main: boolean;
}

export const APP = 'shop';
export const ENVIRONMENT = 'production';
export const TOKEN = 'dop_v1_5ecre7_token_of_the_simulation';
export const PASSWORD = 'correct-horse-5ecre7-registry';
export const ENV_SECRET = 'DB_PASSWORD_5ecre7_value';

/** None of these may be seen anywhere but where it belongs. */
export const SECRETS = [TOKEN, PASSWORD, ENV_SECRET];

const known = new Map<string, readonly Service[]>();

export function servicesOf(app: AppKind, tag: string): readonly Service[] {
  const name = `${app} ${tag}`;
  const services = known.get(name) ?? makeServices(app, tag);
  known.set(name, services);
  return services;
}

function makeServices(app: AppKind, tag: string): Service[] {
  const image = `registry.example.com/shop:${tag}`;
  const main = { image, replicas: 1, checked: true, published: false, oneShot: false, main: true };
  const nginx = { ...main, name: 'web', image: 'nginx:1.27', published: true, main: false };
  switch (app) {
    case 'single':
      return [{ ...main, name: 'web', published: true }];
    case 'bare':
      return [{ ...main, name: 'web', published: true, checked: false }];
    case 'pair':
      return [{ ...main, name: 'app' }, nginx];
    case 'full':
      return [
        { ...main, name: 'migrate', checked: false, oneShot: true, main: false },
        { ...main, name: 'app', replicas: 2 },
        { ...main, name: 'worker', checked: false, main: false },
        { ...nginx, checked: false },
      ];
  }
}

/** `docker compose config --format json`, with the environment that it holds. */
export function composeConfig(app: AppKind, tag: string): string {
  const services = servicesOf(app, tag).map((service) => [
    service.name,
    {
      image: service.image,
      environment: { DB_PASSWORD: ENV_SECRET },
      ...(service.published && { ports: [{ target: 80, published: '80' }] }),
      ...(service.checked && { healthcheck: { test: ['CMD', 'true'] } }),
      ...(service.replicas > 1 && { deploy: { replicas: service.replicas } }),
      ...(app === 'full' &&
        service.name === 'app' && { depends_on: { migrate: { condition: 'service_completed_successfully' } } }),
    },
  ]);
  return JSON.stringify({ name: APP, services: Object.fromEntries(services) });
}

const ids = new Map<string, string>();

/** The config digest of the image behind a reference: the same on every droplet. */
export function imageIdOf(reference: string): string {
  let id = ids.get(reference);
  if (id === undefined) {
    id = `sha256:${sha256(reference)}`;
    ids.set(reference, id);
  }
  return id;
}

/** `repo@sha256:…`, as a registry names the image for ever. */
export function digestOf(reference: string): string {
  return `${reference.replace(/:[^/:]*$/, '')}@${imageIdOf(`digest of ${reference}`)}`;
}

const CONTENTS: Record<string, { text: string; mode: number }> = {
  'compose/docker-compose.yml': { text: 'services: {}\n', mode: 0o644 },
  'config/.env.production': { text: `DB_PASSWORD=${ENV_SECRET}\n`, mode: 0o600 },
  'scripts/start-up.sh': { text: '#!/bin/sh\n', mode: 0o755 },
};

export const SOURCE_FILES: SourceFile[] = Object.entries(CONTENTS).map(([path, { mode }]) => ({
  localPath: `/project/${path}`,
  path,
  mode,
}));

const read = async (path: string) => Buffer.from(CONTENTS[path.replace('/project/', '')]?.text ?? '');
const open = async function* (path: string) {
  yield await read(path);
};
const digest = async (path: string) => {
  const content = await read(path);
  return { sha256: sha256(content), size: content.length };
};
export const localFiles: LocalFiles = { read, open, digest };

const FILES: ReleaseFile[] = SOURCE_FILES.map(({ path, mode }) =>
  fileInMemory(path, mode, Buffer.from(CONTENTS[path]?.text ?? '')),
).sort((a, b) => (a.path < b.path ? -1 : 1));

/** SHA256SUMS of every release: between releases only the tag changes here. */
export const CHECKSUMS = checksums(FILES);

/** As a droplet that holds a release prints its files. */
export const ARCHIVE = await archived();

async function archived(): Promise<string> {
  const tar = pack();
  for (const { path, mode } of SOURCE_FILES) tar.entry({ name: `./${path}`, mode }, CONTENTS[path]?.text ?? '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks)).toString('base64');
}

const COMPOSE_FILES = ['compose/docker-compose.yml'];
const ENV_FILES = ['config/.env.production'];
const records = new Map<string, StoredRelease>();

/** What an earlier deploy of this tag has left on a droplet. */
export function earlierRelease(app: AppKind, tag: string, at: number): StoredRelease {
  const key = `${app} ${tag} ${at}`;
  const known = records.get(key);
  if (known) return known;
  const services = readComposeConfig(composeConfig(app, tag), { app: APP, build: false }).map(
    ({ built: _built, published: _published, ...spec }) => spec,
  );
  const draft = {
    app: APP,
    environment: ENVIRONMENT,
    imageTag: tag,
    composeFiles: COMPOSE_FILES,
    envFiles: ENV_FILES,
    files: FILES,
  };
  const images = Object.fromEntries(
    services.map(({ name, image }) => [name, { reference: image, pinned: digestOf(image), imageId: imageIdOf(image) }]),
  );
  const time = new Date(at).toISOString();
  const id = `${time.replace(/[-:]|\.\d+/g, '')}-${tag}`;
  const record = storedReleaseOf(
    { ...draft, id, createdAt: time, createdBy: 'ann@laptop', content: contentHash(draft) },
    services,
    images,
  );
  records.set(key, record);
  return record;
}

export function settingsFor(
  target: Settings['target'],
  rollout: Settings['rollout'],
  roles?: Settings['roles'],
): Settings {
  const token = new Secret(TOKEN);
  const password = new Secret(PASSWORD);
  return {
    app: APP,
    environment: ENVIRONMENT,
    imageTag: 'latest',
    bootstrap: {
      dockerGroup: true,
      docker: 'distribution',
      firewall: {},
      hardenSsh: true,
      unattendedUpgrades: true,
      swap: true,
      waitMs: 600_000,
    },
    keepReleases: 5,
    apiUrl: 'https://api.digitalocean.com/v2',
    token,
    ssh: {
      user: 'root',
      port: 22,
      knownHostsPath: '/home/ann/.ssh/known_hosts',
      hostKeys: 'accept-new',
      address: 'public',
    },
    target,
    ...(roles && { roles }),
    root: '/project',
    composeFiles: COMPOSE_FILES,
    envFiles: ENV_FILES,
    files: SOURCE_FILES,
    registry: { server: 'registry.example.com', username: 'ci', password },
    rollout,
    handlers: [],
    secrets: [token, password],
  };
}
