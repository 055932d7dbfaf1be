/** Set up before all tests of a run: the bridge, the registries and their images. They end with the run's namespaces. */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Machine } from './machine.js';
import { end, keep, must, until } from './processes.js';
import {
  BRIDGE,
  BRIDGE_IPV6,
  BRIDGE_PRIVATE,
  BRIDGE_PUBLIC,
  CACHE,
  inRoot,
  PRIVATE_REGISTRY,
  REGISTRY,
  REGISTRY_LOGIN,
  ROOT,
} from './region.js';

const BUILD = join(import.meta.dirname, 'build-images.sh');

export default async function setUpRegion(): Promise<() => Promise<void>> {
  await makeBridge();
  const kept = join(CACHE, `registry-${await imagesKey()}`);
  const isKept = existsSync(kept);
  if (isKept) await cp(kept, inRoot('registry'), { recursive: true });
  const registries = [await startRegistry(REGISTRY), await startRegistry(PRIVATE_REGISTRY, REGISTRY_LOGIN)];
  if (!isKept) {
    await buildImages();
    await keepImages(kept);
  }
  return async () => {
    await Promise.all(registries.map((registry) => end(registry)));
    await must('ip', ['link', 'delete', BRIDGE]);
  };
}

/** Changes whenever something that the images are made of changes. */
async function imagesKey(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [BUILD, '/bin/busybox', '/usr/sbin/nginx']) hash.update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}

/** If another run was faster, its images are kept. */
async function keepImages(kept: string): Promise<void> {
  const copy = `${kept}.${basename(ROOT)}`;
  await cp(inRoot('registry'), copy, { recursive: true });
  await rename(copy, kept).catch(() => rm(copy, { recursive: true }));
}

async function makeBridge(): Promise<void> {
  await must('ip', ['link', 'set', 'lo', 'up']);
  await must('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
  for (const address of [BRIDGE_PRIVATE, BRIDGE_PUBLIC]) {
    await must('ip', ['address', 'add', `${address}/24`, 'dev', BRIDGE]);
  }
  await must('ip', ['address', 'add', `${BRIDGE_IPV6}/64`, 'dev', BRIDGE, 'nodad']);
  await must('ip', ['link', 'set', BRIDGE, 'up']);
}

async function startRegistry(address: string, login?: { username: string; password: string }): Promise<ChildProcess> {
  const folder = inRoot(`registry-${address}`);
  await mkdir(folder, { recursive: true });
  const htpasswd = join(folder, 'htpasswd');
  if (login) await writeFile(htpasswd, await must('htpasswd', ['-niB', login.username], login.password));
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: inRoot('registry') }, delete: { enabled: true } },
    http: { addr: address },
    ...(login && { auth: { htpasswd: { realm: 'registry', path: htpasswd } } }),
  };
  // JSON is YAML.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
  const registry = keep('docker-registry', ['serve', join(folder, 'config.yml')], join(folder, 'log'));
  await until(`the registry at ${address}`, 20_000, async () => (await fetch(`http://${address}/v2/`)).status < 500);
  return registry;
}

async function buildImages(): Promise<void> {
  const builder = await Machine.start({
    name: 'builder',
    publicAddress: '203.0.113.253',
    privateAddress: '10.10.0.253',
    folder: inRoot('builder'),
    authorizedKey: '',
  });
  try {
    await builder.ready();
    // Its /tmp is not this host's.
    await copyFile(BUILD, inRoot('builder', 'tmp', 'build-images.sh'));
    await builder.must(`sh /tmp/build-images.sh ${REGISTRY}`);
  } finally {
    await builder.stop();
  }
}
