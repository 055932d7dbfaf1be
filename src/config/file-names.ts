import { basename, posix } from 'node:path';
import type { FileFault } from './read-file.js';

/** Names that do-deploy itself uses at the top of a release's folder on a droplet. */
export const RESERVED_NAMES: readonly string[] = [
  'release.json',
  'images.yml',
  'SHA256SUMS',
  '.view',
  '.sent',
  '.reuse',
  '.modes',
  '.declared.yml',
  '.variables',
];

/** Env files that do-deploy adds to a release: defaults of `env:`, and values of `secrets:`. */
export const DEFAULTS_FILE = '.variables/defaults.env';
export const SECRETS_FILE = '.variables/secrets.env';

/** Env files may hold secrets: `.env.production`, `app.env`, but not an example of one. */
export function isEnvFile(path: string): boolean {
  const name = basename(path);
  return (name.startsWith('.env') || name.endsWith('.env')) && !name.endsWith('.example');
}

/** Whether a private key begins the file. */
export function isKey(content: Buffer): boolean {
  return /^-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(content.toString('latin1', 0, 64));
}

/** Of a path as the configuration has it. */
export function faultOfEntry(path: string): FileFault | undefined {
  const normal = posix.normalize(path);
  if (posix.isAbsolute(path) || normal === '..' || normal.startsWith('../')) {
    return { message: 'is outside the project', remedy: 'copy it into the project, and write its path from there' };
  }
  return faultOfPath(normal);
}

/** Of a path that is to be sent, from the project's root. */
export function faultOfPath(path: string): FileFault | undefined {
  const control = /\p{Cc}/u.exec(path)?.[0];
  if (control !== undefined) {
    const code = control.charCodeAt(0).toString(16).padStart(2, '0');
    return { message: `has a control character (0x${code}) in its name`, remedy: 'rename it' };
  }
  // sha256sum escapes it.
  if (path.includes('\\')) return { message: 'has a backslash in its name', remedy: 'rename it' };
  const [top = ''] = path.split('/');
  if (RESERVED_NAMES.includes(top)) {
    return { message: `has a name that do-deploy itself uses in a release (${top})`, remedy: 'rename it' };
  }
  return undefined;
}

/** Of a file that a list names for start-up.sh: there blanks separate, and the shell would expand patterns. */
export function faultOfListedName(path: string): FileFault | undefined {
  if (!/[\s*?[\]\\]|^-/.test(path)) return undefined;
  return { message: 'has a blank, a pattern or a leading - in its name', remedy: 'rename it' };
}

/** A name in a folder that would lead elsewhere, as a git tree that was made by hand may have one. */
export function isTrap(name: string): boolean {
  return name === '' || name === '.' || name === '..' || name.includes('/');
}
