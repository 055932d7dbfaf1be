/**
 * Builds an image from a Dockerfile as far as a stand-in can: the image runs the program of its base. Supports FROM (one
 * stage, no variables), COPY, ENV, LABEL, and `RUN true`, `RUN false` and `RUN exit N`.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from './compose/read-service.js';
import type { Engine } from './engine.js';
import { DockerFailure, NotImplemented } from './failure.js';
import type { Image } from './image.js';
import type { LocalImage } from './image-store.js';

/** Compose's exit code for a failed build (compose v2, BuildFailure). */
const BUILD_FAILURE = 17;

/** Pulls a base image that is not local. */
export type PullBase = (name: string) => Promise<LocalImage>;

/**
 * The same input returns the same image while it is in the engine's cache. Otherwise the image gets a new id, as if
 * built at another time.
 */
export async function build(
  engine: Engine,
  { context, dockerfile }: NonNullable<Service['build']>,
  pull: PullBase,
): Promise<Image> {
  const file = join(context, dockerfile);
  if (!existsSync(file)) throw failed(`failed to read dockerfile: open ${dockerfile}: no such file or directory`);
  const [first, ...steps] = readInstructions(readFileSync(file, 'utf8'));
  if (first?.word !== 'FROM') throw failed('dockerfile parse error: no build stage in current context');
  if (/[\s$]/.test(first.rest)) throw new NotImplemented(`Dockerfile: FROM ${first.rest}`);
  const base = (engine.images.find(first.rest) ?? (await pull(first.rest))).image;
  const hash = createHash('sha256').update(`${base.id}\n`);
  const env = [...base.env];
  for (const { word, rest } of steps) {
    hash.update(`${word} ${rest}\n`);
    if (word === 'RUN') run(rest);
    else if (word === 'COPY') for (const content of copied(context, rest)) hash.update(content);
    else if (word === 'ENV') env.push(rest);
    else if (word !== 'LABEL') throw new NotImplemented(`Dockerfile: ${word}`);
  }
  const input = hash.digest('hex');
  const image = engine.buildCache.get(input) ?? { ...base, env, id: randomHash(), digest: randomHash() };
  engine.buildCache.set(input, image);
  return image;
}

function randomHash(): string {
  return `sha256:${randomBytes(32).toString('hex')}`;
}

function readInstructions(text: string): { word: string; rest: string }[] {
  const lines = text
    .replaceAll(/^\s*#.*$/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n');
  return lines.flatMap((line) => {
    const [, word, rest = ''] = /^\s*(\w+)\s+(.*\S)\s*$/.exec(line) ?? [];
    return word === undefined ? [] : [{ word: word.toUpperCase(), rest }];
  });
}

function run(command: string): void {
  if (command === 'true') return;
  const code = command === 'false' ? 1 : Number(/^exit (\d+)$/.exec(command)?.[1] ?? Number.NaN);
  if (Number.isNaN(code)) throw new NotImplemented(`Dockerfile: RUN ${command}`);
  if (code !== 0) {
    throw failed(
      `process ${JSON.stringify(`/bin/sh -c ${command}`)} did not complete successfully: exit code: ${code}`,
    );
  }
}

/** Paths and contents of all copied files. */
function copied(context: string, words: string): (string | Buffer)[] {
  return words
    .split(/\s+/)
    .slice(0, -1)
    .flatMap((source) => {
      const path = join(context, source);
      if (!existsSync(path)) {
        throw failed(`failed to compute cache key: failed to calculate checksum of ref: "/${source}": not found`);
      }
      if (!statSync(path).isDirectory()) return [source, readFileSync(path)];
      const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
      return names.flatMap((name) =>
        statSync(join(path, name)).isFile() ? [join(source, name), readFileSync(join(path, name))] : [],
      );
    });
}

function failed(reason: string): DockerFailure {
  return new DockerFailure(`failed to solve: ${reason}`, BUILD_FAILURE);
}
