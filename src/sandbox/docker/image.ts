import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';

/** What an image's program may do: the inside of one run of a container. */
export interface ContainerProcess {
  readonly env: Readonly<Record<string, string>>;
  /** From compose's `command:`; undefined means the image's own. */
  readonly command: readonly string[] | undefined;
  readonly startedAt: number;
  log(line: string, stream?: 'stdout' | 'stderr'): void;
  /** Serves HTTP on a port of the container; with `proxyProtocol`, only to those who send its line first. */
  listen(containerPort: number, handler: RequestListener, options?: { proxyProtocol?: boolean }): Promise<void>;
  /** Where a service of the same compose project answers now; undefined when nothing runs there. */
  locate(service: string, containerPort: number): { host: string; port: number } | undefined;
  /** Does a container of that service run? What the project's DNS would know. */
  resolves(service: string): boolean;
  /** The text of a mounted file, undefined when nothing is mounted there. */
  readMounted(path: string): string | undefined;
  /** Runs `task` after `ms`, unless the container has stopped. */
  after(ms: number, task: () => void): void;
  /** Ends the run; later calls do nothing. */
  exit(code: number, how?: { oomKilled?: boolean }): void;
  /** Records that the stand-in met something it does not know. */
  notImplemented(what: string): void;
}

export type Program = (container: ContainerProcess) => void | Promise<void>;

/** An image as the registry holds it. Equal `content` is the same image, with the same id and digest. */
export interface Image {
  /** sha256:… of its configuration: what Docker shows as ID. */
  readonly id: string;
  /** sha256:… of its manifest: what a registry knows it by. */
  readonly digest: string;
  readonly created: string;
  readonly env: readonly string[];
  readonly exposedPorts: readonly number[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** Files of the image, on which no folder can be mounted. */
  readonly files: readonly string[];
  /** The exit code of a stop: 143 for a program that SIGTERM simply ends. */
  readonly stopExitCode: number;
  readonly program: Program;
}

export interface ImageRecipe {
  /** Anything that tells this image from others: `shop v2`. */
  content: string;
  program: Program;
  exposedPorts?: number[];
  entrypoint?: string[];
  command?: string[];
  env?: string[];
  files?: string[];
  stopExitCode?: number;
}

export function buildImage(recipe: ImageRecipe): Image {
  return {
    id: sha256(`configuration of ${recipe.content}`),
    digest: sha256(`manifest of ${recipe.content}`),
    created: '2026-01-01T00:00:00Z',
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(recipe.env ?? [])],
    exposedPorts: recipe.exposedPorts ?? [],
    entrypoint: recipe.entrypoint ?? [],
    command: recipe.command ?? [],
    files: recipe.files ?? [],
    stopExitCode: recipe.stopExitCode ?? 143,
    program: recipe.program,
  };
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
