/** Env files as they lie here: who can read them, and what git does with them. */
import { quote } from '../../core/shell.js';
import type { Facts } from '../facts.js';
import type { Found } from '../found.js';

const OF_OTHERS = 0o077;

export function checkEnvFiles({ envFiles }: Facts): Found[] {
  return envFiles.flatMap(({ path, mode, hasSecrets, git }): Found[] => {
    const word = quote(path);
    const found: Found[] = [];
    if (mode !== undefined && (mode & OF_OTHERS) !== 0) {
      found.push({
        name: 'env-file-open',
        place: path,
        message: `${path} has the permissions ${(mode & 0o777).toString(8)}.`,
        fix: `chmod 600 ${word}`,
        fixable: true,
      });
    }
    if (hasSecrets && git === 'tracked') {
      found.push({
        name: 'env-file-tracked',
        place: path,
        message: `git tracks ${path}, which holds values that look like secrets.`,
        fix: `git rm --cached ${word} && echo ${quote(`/${path}`)} >>.gitignore. Then replace the secrets: they stay in the history.`,
      });
    }
    if (hasSecrets && git === 'untracked') {
      found.push({
        name: 'env-file-unignored',
        place: path,
        message: `git does not ignore ${path}, which holds values that look like secrets.`,
        fix: `echo ${quote(`/${path}`)} >>.gitignore`,
        fixable: true,
      });
    }
    return found;
  });
}
