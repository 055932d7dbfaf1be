/**
 * Files of a commit, as a checkout would write them: git itself reads them into a private folder, with the filters that
 * .gitattributes names (git-crypt, Git LFS), through an index of its own. The working tree and its index stay untouched.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inPrivateFolder } from './private-folder.js';
import { type GitRun, git, gitFailed, readNulls } from './run-git.js';

/** Git LFS may have to download. */
const CHECKOUT_TIMEOUT_MS = 10 * 60_000;

const CONFIG = [
  // Line ends go to the droplet as they are in git, whatever is usual on this machine.
  'core.autocrlf=false',
  'core.eol=lf',
  // The index is temporary: nothing of it may be written into the repository, and nothing may be left out of it.
  'core.splitIndex=false',
  'core.sparseCheckout=false',
  'submodule.recurse=false',
];

/**
 * @param run its folder is the project's; paths are relative to it
 * @returns contents in the order of the paths; of a symbolic link, its target
 * @throws DeployError `git-failed`, or `temporary-folder`
 */
export function readCommitted(commit: string, paths: readonly string[], run: GitRun): Buffer[] {
  if (paths.length === 0) return [];
  const [gitFolder = '', prefix = ''] = git(['rev-parse', '--absolute-git-dir', '--show-prefix'], run)
    .toString('utf8')
    .split('\n');
  return inPrivateFolder((folder) => {
    const files = join(folder, 'files');
    mkdirSync(files);
    const inFolder: GitRun = {
      ...run,
      folder: files,
      set: { GIT_DIR: gitFolder, GIT_WORK_TREE: files, GIT_INDEX_FILE: join(folder, 'index') },
      config: CONFIG,
      timeoutMs: CHECKOUT_TIMEOUT_MS,
    };
    git(['read-tree', commit], inFolder);
    const wanted = paths.map((path) => `${prefix}${path}`);
    // `--temp` writes every entry, a symbolic link too, into a new plain file of the folder, under a name that git
    // chooses: no name in the commit can lead anywhere else, and names that differ only in case do not collide.
    const args = ['checkout-index', '--temp', '--stdin', '-z'];
    const output = git(args, { ...inFolder, stdin: wanted.map((path) => `${path}\0`).join('') });
    const names = new Map(readNulls(output).map((line) => nameAndPath(line)));
    return wanted.map((path) => {
      const name = names.get(path);
      if (name === undefined) throw gitFailed(args, `it did not write ${path}`);
      return readFileSync(join(files, name));
    });
  });
}

/** `.merge_file_a1B2c3<tab>PATH` */
function nameAndPath(line: string): [path: string, name: string] {
  const tab = line.indexOf('\t');
  return [line.slice(tab + 1), line.slice(0, tab)];
}
