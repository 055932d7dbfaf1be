/** Before all tests of a run: the bridge, the registry and its images. Everything ends with the run's namespaces. */
import type { ChildProcess } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import buildIfStale from '../../support/build-once.js';
import { Machine } from './machine.js';
import { end, keep, must, until } from './processes.js';
import { BRIDGE, BRIDGE_PRIVATE, BRIDGE_PUBLIC, inRoot, PRIVATE_REGISTRY, REGISTRY, REGISTRY_LOGIN } from './region.js';

export default async function setUpRegion(): Promise<() => Promise<void>> {
  buildIfStale();
  await makeBridge();
  const registries = [await startRegistry(REGISTRY), await startRegistry(PRIVATE_REGISTRY, REGISTRY_LOGIN)];
  await buildImages();
  return async () => {
    await Promise.all(registries.map((registry) => end(registry)));
    await must('ip', ['link', 'delete', BRIDGE]);
  };
}

async function makeBridge(): Promise<void> {
  await must('ip', ['link', 'set', 'lo', 'up']);
  await must('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
  for (const address of [BRIDGE_PRIVATE, BRIDGE_PUBLIC]) {
    await must('ip', ['address', 'add', `${address}/24`, 'dev', BRIDGE]);
  }
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
    // Its /tmp is not this one.
    const script = inRoot('builder', 'tmp', 'build-images.sh');
    await copyFile(join(import.meta.dirname, 'build-images.sh'), script);
    await builder.must(`sh /tmp/build-images.sh ${REGISTRY}`);
  } finally {
    await builder.stop();
  }
}
