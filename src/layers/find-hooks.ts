/** Finds the hooks in the project's folder; what would never run is a problem of the configuration. */
import { accessSync, closeSync, constants, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FindHooks } from '../config/section.js';
import type { HookProgram } from '../config/settings.js';
import { suggest } from '../config/suggest.js';
import { LIFECYCLE_EVENTS } from '../rollout/lifecycle.js';
import { quote } from '../shell-quote.js';

const KNOWN: readonly string[] = LIFECYCLE_EVENTS.flatMap((event) => [event, `${event}.d`]);

/** Copies that editors and package managers leave behind. */
const BACKUP = /~$|^#.*#$|\.(?:bak|old|orig|rej|save|sw[a-p]|tmp|dpkg-\w+|rpm\w+)$/;

/** Bytes to read for the line of `#!`. */
const FIRST_LINE_BYTES = 256;

type Tell = Parameters<FindHooks>[1];

/** In the order in which those of an event run. */
export const findHooks: FindHooks = ({ root, folder }, tell) => {
  for (const name of namesIn(root, folder, tell)) reportUnused(root, folder, name, tell);
  return LIFECYCLE_EVENTS.flatMap((event) => {
    const several = `${folder}/${event}.d`;
    const isFolder = look(join(root, several))?.isDirectory() === true;
    const inFolder = isFolder ? namesIn(root, several, tell).map((name) => `${several}/${name}`) : [];
    const paths = [`${folder}/${event}`, ...inFolder].filter((path) => isProgram(root, path, tell));
    return paths.map((path): HookProgram => ({ event, path }));
  });
};

/** Without hidden ones and backups. */
function namesIn(root: string, folder: string, tell: Tell): string[] {
  try {
    return readdirSync(join(root, folder))
      .filter((name) => !name.startsWith('.') && !BACKUP.test(name))
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    tell(folder, code === 'ENOTDIR' ? 'is not a folder' : `cannot be read (${code})`, seeWhat(folder));
    return [];
  }
}

/** What would never run: its name has a typo, or is another tool's, or it is not what its name says. */
function reportUnused(root: string, folder: string, name: string, tell: Tell): void {
  const path = `${folder}/${name}`;
  if (KNOWN.includes(name)) {
    const wanted = name.endsWith('.d') ? 'a folder' : 'a file';
    if (isOdd(join(root, path))) tell(path, `is not ${wanted}, so nothing would run`, seeWhat(path));
    return;
  }
  if (name.endsWith('.sample') || !wouldRun(join(root, path))) return;
  const meant = suggest(name.replace(/\.(?!d$)[^.]*$/, '').replaceAll('-', '_'), KNOWN);
  const remedy =
    meant === undefined
      ? `the events are ${LIFECYCLE_EVENTS.join(', ')}: rename it, or move it to another folder`
      : `run \`mv ${quote(path)} ${quote(`${folder}/${meant}`)}\``;
  tell(path, 'is not named after an event, so it would never run', remedy);
}

function seeWhat(path: string): string {
  return `see what it is: \`ls -ld ${quote(path)}\``;
}

/** A folder where a program should be, or the other way round, or a link that leads nowhere. */
function isOdd(path: string): boolean {
  const found = look(path);
  return path.endsWith('.d') ? found?.isDirectory() !== true : found?.isFile() !== true;
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A circle of links, or a folder that may not be read.
    return undefined;
  }
}

/** An executable, or a folder that looks like one of an event. */
function wouldRun(path: string): boolean {
  const found = look(path);
  if (found?.isDirectory()) return path.endsWith('.d');
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

/** '' of a program that may be run but not read. */
function beginningOf(file: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    const bytes = Buffer.alloc(FIRST_LINE_BYTES);
    return bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, FIRST_LINE_BYTES, 0));
  } catch {
    return '';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function isProgram(root: string, path: string, tell: Tell): boolean {
  const file = join(root, path);
  if (look(file)?.isFile() !== true) return false;
  try {
    accessSync(file, constants.X_OK);
    const beginning = beginningOf(file);
    const [, interpreter] = /^#![ \t]*(\/[^\s]+)/.exec(beginning) ?? [];
    if (!/^#![^\n]*\r\n/.test(beginning)) {
      if (interpreter === undefined || look(interpreter) !== undefined) return true;
      tell(path, `begins with #!${interpreter}, which does not exist`, 'correct its first line, such as `#!/bin/sh`');
      return false;
    }
    tell(
      path,
      'has Windows line endings, which Linux reads as part of the #! line',
      `run \`sed -i 's/\\r$//' ${quote(path)}\``,
    );
    return false;
  } catch {
    tell(path, 'is not executable', `run \`chmod +x ${quote(path)}\``);
    return false;
  }
}
