/**
 * What was done last under a name: a number, which counts up, and the release that it was done for. A file of one line in
 * the app's folder on every droplet.
 */
import type { RemoteCommand } from '../../ports.js';
import { appFolder, command, quote } from '../core/shell.js';
import { recordOf } from '../release/once-functions.js';
import { asHolder } from './lease-commands.js';

export interface Done {
  number: number;
  /** Empty: nothing, or it is not known which. */
  release: string;
}

const MAX_BYTES = 300;

/** The largest number that is read, and so the largest that is written. */
const MAX_NUMBER = 999_999_999;

const LINE = /^(\d{1,9}) (\S{1,200})?$/;

/** Stands for no release. */
const NONE = '-';

export function lineOf({ number, release }: Done): string {
  return `${Math.min(number, MAX_NUMBER)} ${release === '' ? NONE : release}`;
}

/** What a droplet says; undefined: nothing that can be understood. */
export function readLine(text: string): Done | undefined {
  const [, number, release = ''] = LINE.exec(text.trim()) ?? [];
  return number === undefined ? undefined : { number: Number(number), release: release === NONE ? '' : release };
}

/** Prints the record, or nothing. */
export function readDoneCommand(app: string, key: string): RemoteCommand {
  const script = [`cd ${appFolder(app)} && head -c ${MAX_BYTES} ${quote(recordOf(key))} 2>/dev/null || :`];
  return command('read-done', { app, key }, script, { reads: true });
}

export function writeDoneCommand(app: string, run: string, key: string, done: Done): RemoteCommand {
  const script = ['set -eu', `cd ${appFolder(app)}`, asHolder(app, run), writing(key, done)];
  return command('write-done', { app, run, key, done }, script);
}

/** A list of commands that writes the record as a whole, in the app's folder, or fails. */
export function writing(key: string, done: Done): string {
  const file = quote(recordOf(key));
  const fresh = quote(`${recordOf(key)}.new`);
  return `mkdir -p done && printf '%s\\n' ${quote(lineOf(done))} >${fresh} && mv -f ${fresh} ${file}`;
}
