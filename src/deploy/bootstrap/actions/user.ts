/** The user that deploys: without a password, with keys, and in the group of Docker's socket. */
import { DeployError } from '../../../errors.js';
import { configFile } from '../../core/do-deploy.js';
import { quote } from '../../core/shell.js';
import { type Action, type Change, left, type Planned, type Wanted } from '../action.js';
import { readFile, readOutput } from '../read.js';

/** A line of authorized_keys that may log in: not one that only ever runs a command, such as a notice to use another user. */
const KEY_LINE = /^(?!.*\bcommand=)(?:[^#]*[ ,])?(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,2}(?: |$)/;

const HEADER = '# Written by do-deploy bootstrap. It adds keys that are missing, and removes none.';

export const user: Action = {
  name: 'user',
  reads: ({ user: name }) =>
    name === undefined
      ? []
      : [
          readOutput('passwd', `getent passwd ${quote(name)}`),
          readOutput('groups', `id -nG ${quote(name)}`),
          readFile('rootKeys', '/root/.ssh/authorized_keys'),
          `home=$(getent passwd ${quote(name)} | cut -d : -f 6)`,
          readFile('keys', '"$home/.ssh/authorized_keys"'),
        ],
  plan(read, { wanted }) {
    const { user: name } = wanted;
    if (name === undefined) return [];
    const passwd = read.one('passwd')?.split(':');
    if (passwd?.[2] === '0') return [left(`${name} is root under another name`)];
    const wantedKeys = wanted.keys ?? keysIn(read.file('rootKeys') ?? '');
    const present = new Set(keysIn(read.file('keys') ?? '').map(keyOf));
    const missing = wantedKeys.filter((line) => !present.has(keyOf(line)));
    if (wantedKeys.length === 0 && present.size === 0) throw noKeys(name, wanted);
    const groups = (read.one('groups') ?? '').split(' ');
    return [
      ...(passwd === undefined ? [create(name)] : []),
      ...(missing.length > 0 ? [addKeys(name, missing)] : []),
      ...(wanted.dockerGroup && !groups.includes('docker') ? [joinDocker(name)] : []),
    ] satisfies Planned[];
  },
};

export function keysIn(text: string): string[] {
  return text.split('\n').flatMap((line) => (KEY_LINE.test(line.trim()) ? [line.trim()] : []));
}

/** The key itself, without options and comment. */
function keyOf(line: string): string {
  return /[A-Za-z0-9+/]{40,}={0,2}/.exec(line)?.[0] ?? line;
}

function noKeys(name: string, wanted: Wanted): DeployError {
  return new DeployError('bootstrap-refused', `There is no key for ${name}: root has none in its authorized_keys.`, {
    source: 'user',
    hint: `Give some: bootstrap: { authorized_keys: [~/.ssh/id_ed25519.pub] } in ${configFile(wanted)}.`,
  });
}

/** The password `*` lets nobody in. Without one, sshd would treat the account as locked where PAM is off. */
function create(name: string): Change {
  return {
    kind: 'change',
    sentence: `create the user ${name}, without a password`,
    files: [],
    script: [
      `id -u ${quote(name)} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' ${quote(name)}`,
    ],
  };
}

function addKeys(name: string, keys: readonly string[]): Change {
  return {
    kind: 'change',
    sentence: `let ${keys.length} ${keys.length === 1 ? 'key' : 'keys'} log in as ${name}`,
    files: [`~${name}/.ssh/authorized_keys`],
    script: [
      `home=$(getent passwd ${quote(name)} | cut -d : -f 6)`,
      `group=$(id -gn ${quote(name)})`,
      'umask 077',
      // In its home, only what the user may do is done: a link there leads root nowhere.
      `as() { setpriv --reuid ${quote(name)} --regid "$group" --init-groups "$@"; }`,
      `as mkdir -p "$home/.ssh"`,
      `as sh -c ${quote(
        [
          'set -eu',
          'umask 077',
          'file=$1/.ssh/authorized_keys',
          `[ -s "$file" ] || printf '%s\\n' ${quote(HEADER)} >"$file"`,
          '[ -z "$(tail -c 1 "$file")" ] || echo >>"$file"',
          'cat >>"$file"',
        ].join('\n'),
      )} sh "$home"`,
    ],
    stdin: `${keys.join('\n')}\n`,
  };
}

function joinDocker(name: string): Change {
  return {
    kind: 'change',
    sentence: `put ${name} into the group docker, whose members can do what root can`,
    files: [],
    script: ['getent group docker >/dev/null || groupadd --system docker', `usermod -aG docker ${quote(name)}`],
  };
}
