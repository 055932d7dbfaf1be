import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DropletFaults } from '../droplets/faults.js';
import { Container, type ContainerHost, type ContainerSpec } from './container.js';
import { DockerFailure, daemonError } from './failure.js';
import type { Image } from './image.js';
import { ImageStore, type ImageUser, type LocalImage } from './image-store.js';
import { writeLayerFiles } from './layer-files.js';
import { PublishedPorts } from './published-ports.js';
import { parseReference } from './reference.js';
import { type Credentials, manifestUnknown, pullDenied, type Registry } from './registry.js';

export interface EngineOptions {
  registry: Registry;
  /** DockerRootDir: holds the volumes. */
  folder: string;
  /** Bind mounts must be below this folder. */
  boundary: string;
  faults: Readonly<DropletFaults>;
  notImplemented(what: string): void;
}

/** The server version that the stand-in reports and follows. */
export const DOCKER_VERSION = '24.0.9';

/** The Docker daemon of one droplet: its images, containers, published ports and volumes. */
export class Engine implements ContainerHost {
  readonly images: ImageStore;
  readonly ports = new PublishedPorts();
  readonly registry: Registry;
  readonly folder: string;
  readonly boundary: string;
  readonly faults: Readonly<DropletFaults>;
  /** Built images, by a hash of their input. */
  readonly buildCache = new Map<string, Image>();
  readonly notImplemented: (what: string) => void;
  readonly #containers = new Map<string, Container>();
  readonly #networks: string[] = [];
  #turn = 0;

  constructor(options: EngineOptions) {
    this.registry = options.registry;
    this.folder = options.folder;
    this.boundary = options.boundary;
    this.faults = options.faults;
    this.notImplemented = options.notImplemented;
    mkdirSync(join(this.folder, 'volumes'), { recursive: true });
    writeLayerFiles(this.folder, []);
    this.images = new ImageStore((images) => writeLayerFiles(this.folder, images));
  }

  /** First call of every command that needs the daemon. */
  mustAnswer(): void {
    if (!this.faults.daemonDown) return;
    throw new DockerFailure(
      'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    );
  }

  async pull(
    name: string,
    credentials: (domain: string) => Credentials | undefined,
    signal: AbortSignal,
  ): Promise<LocalImage> {
    const reference = parseReference(name);
    await sleep(this.faults.pullDelayMs, undefined, { signal });
    if (this.faults.pull === 'missing') throw manifestUnknown(reference);
    if (this.faults.pull === 'denied') throw pullDenied(reference.repository);
    const image = this.registry.fetch(reference, credentials(reference.domain));
    if (this.faults.diskFull && this.images.find(image.id) === undefined) {
      throw new DockerFailure('failed to register layer: write /etc/passwd: no space left on device');
    }
    return this.images.add(reference, image);
  }

  /** Newest first; every label must match. */
  containers(labels: Readonly<Record<string, string>> = {}): Container[] {
    const matches = ({ spec }: Container) => Object.entries(labels).every(([key, value]) => spec.labels[key] === value);
    return [...this.#containers.values()].filter(matches).reverse();
  }

  /** By name, by id or by the beginning of the id. */
  findContainer(text: string): Container | undefined {
    return this.containers().find(({ id, name }) => name === text || (text.length > 0 && id.startsWith(text)));
  }

  createContainer(name: string, spec: ContainerSpec): Container {
    const taken = this.findContainer(name);
    if (taken !== undefined) {
      throw daemonError(
        `Conflict. The container name "/${name}" is already in use by container "${taken.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    const container = new Container(randomBytes(32).toString('hex'), name, this.#freeAddress(spec.network), spec, this);
    this.#containers.set(container.id, container);
    return container;
  }

  removeContainer(container: Container): void {
    container.stop();
    this.#containers.delete(container.id);
  }

  imageUsers(): ImageUser[] {
    return this.containers().map(({ id, spec, running }) => ({ id, imageId: spec.image.id, running }));
  }

  /** The folder of a named volume, created if it is new. Volumes are never removed. */
  volumeFolder(name: string): string {
    const folder = join(this.folder, 'volumes', name, '_data');
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  volumeNames(): string[] {
    return readdirSync(join(this.folder, 'volumes')).sort();
  }

  /** Ends every container, like a power cut. */
  stop(): void {
    for (const container of this.containers()) this.removeContainer(container);
  }

  // --- ContainerHost ---

  locate(container: Container, service: string, containerPort: number): { host: string; port: number } | undefined {
    const ports = this.#peers(container, service).flatMap((peer) => peer.portOf(containerPort) ?? []);
    this.#turn += 1;
    const port = ports[this.#turn % Math.max(ports.length, 1)];
    return port === undefined ? undefined : { host: '127.0.0.1', port };
  }

  resolves(container: Container, service: string): boolean {
    return this.#peers(container, service).length > 0;
  }

  publish(container: Container): void {
    this.ports.open(container);
  }

  unpublish(container: Container): void {
    this.ports.close(container);
  }

  #peers(container: Container, service: string): Container[] {
    return this.containers({
      'com.docker.compose.project': container.project,
      'com.docker.compose.service': service,
    }).filter(({ status }) => status === 'running');
  }

  #freeAddress(network: string): string {
    if (!this.#networks.includes(network)) this.#networks.push(network);
    const prefix = `172.${18 + this.#networks.indexOf(network)}.0`;
    const taken = new Set(this.containers().map(({ address }) => address));
    let host = 2;
    while (taken.has(`${prefix}.${host}`)) host += 1;
    return `${prefix}.${host}`;
  }
}
