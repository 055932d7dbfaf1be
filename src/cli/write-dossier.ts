/** Writes the dossier of a failed run into a folder that only its owner can read. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dossierFiles, type EndedRun, EVENTS_FILE } from '../reporters/dossier.js';
import type { LogFile } from './log-file.js';

/**
 * Takes the file of events into the folder. Throws what the file system says.
 * @param run masked and clean
 */
export function writeDossier({ dossier, eventsPath }: Pick<LogFile, 'dossier' | 'eventsPath'>, run: EndedRun): void {
  mkdirSync(dossier, { mode: 0o700 });
  for (const [name, text] of dossierFiles(run)) writeFileSync(join(dossier, name), text, { flag: 'wx', mode: 0o600 });
  renameSync(eventsPath, join(dossier, EVENTS_FILE));
}
