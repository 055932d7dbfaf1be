import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';

/** What a program can do inside a running container. */
export interface ContainerProcess {
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  log(line: string, stream?: 'stdout' | 'stderr'): void;
  /** Serves HTTP on a port of the container. */
  listen(containerPort: number, handler: RequestListener): Promise<void>;
  /** Where a service of the same compose project listens; undefined if nothing runs there. */
  locate(service: string, containerPort: number): { host: string; port: number } | undefined;
  /** Whether the project's DNS would resolve the service: one of its containers runs. */
  resolves(service: string): boolean;
  /** The text of a mounted file; undefined if nothing is mounted at `path`. */
  readMounted(path: string): string | undefined;
  /** Runs `task` after `ms`, unless the container has stopped. */
  after(ms: number, task: () => void): void;
  /** Ends the run; later calls have no effect. */
  exit(code: number, how?: { oomKilled?: boolean }): void;
  /** Records something that the stand-in does not support. */
  notImplemented(what: string): void;
}

export type Program = (container: ContainerProcess) => void | Promise<void>;

export interface Layer {
  /** `sha256:…` of the compressed layer. */
  readonly digest: string;
  /** Compressed, in bytes. */
  readonly size: number;
  /** `sha256:…` of the layer itself. */
  readonly diffId: string;
}

/** An image in a registry. Recipes with the same `content` make the same image, with the same id and digest. */
export interface Image {
  /** `sha256:…` of its configuration: the id that Docker shows. */
  readonly id: string;
  /** `sha256:…` of its manifest: the digest in a registry. */
  readonly digest: string;
  readonly layers: readonly Layer[];
  readonly env: readonly string[];
  readonly exposedPorts: readonly number[];
  /** Files in the image: a folder cannot be mounted over them. */
  readonly files: readonly string[];
  /** Exit code after `docker stop`: 143 for a program that SIGTERM kills. */
  readonly stopExitCode: number;
  readonly program: Program;
  /** What a command of a one-off container does; undefined: the image has no such program. */
  readonly command?: (words: readonly string[]) => Program | undefined;
}

export interface ImageRecipe {
  /** Identifies the image: `shop v2`. */
  content: string;
  program: Program;
  command?: Image['command'];
  /** Compressed sizes of the layers in bytes, by content. Default: a layer of 1,000 bytes of its own. */
  layers?: Record<string, number>;
  exposedPorts?: number[];
  env?: string[];
  files?: string[];
  stopExitCode?: number;
}

export function buildImage(recipe: ImageRecipe): Image {
  const layers = recipe.layers ?? { [recipe.content]: 1_000 };
  return {
    id: sha256(`configuration of ${recipe.content}`),
    digest: sha256(`manifest of ${recipe.content}`),
    layers: Object.entries(layers).map(([content, size]) => ({
      digest: sha256(`compressed layer ${content}`),
      size,
      diffId: sha256(`layer ${content}`),
    })),
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(recipe.env ?? [])],
    exposedPorts: recipe.exposedPorts ?? [],
    files: recipe.files ?? [],
    stopExitCode: recipe.stopExitCode ?? 143,
    program: recipe.program,
    command: recipe.command,
  };
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
