import { readFile } from 'node:fs/promises';
import { DeployError } from '../errors.js';
import type { LocalFiles } from '../ports.js';

export const localFiles: LocalFiles = {
  async read(path) {
    try {
      return await readFile(path);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DeployError('local-file', `${path} cannot be read: ${reason}.`, {
        source: 'user',
        hint: 'Make the file readable, or take it out of `files:`.',
      });
    }
  },
};
