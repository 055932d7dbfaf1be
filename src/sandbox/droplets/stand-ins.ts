import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a droplet finds the machine's own commands. */
export const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin';

/** What the client scripts need to find their droplet: `PORT:TOKEN`. */
export const STAND_INS_VARIABLE = 'DO_SANDBOX_STAND_INS';

/**
 * Hands one call over to the sandbox's process and passes on what comes back. bash, because it can speak TCP itself
 * and starts in 2 ms; a Node client takes 60. Where it can, it starts no further process: a deploy makes hundreds of
 * calls, and a process is what they cost. The protocol is told in stand-in-server.ts.
 */
const BASH_CLIENT = `
LC_ALL=C
# Not exec's own complaint: without the sandbox there is nobody to call.
{ exec 3<>"/dev/tcp/127.0.0.1/\${${STAND_INS_VARIABLE}%:*}"; } 2>/dev/null || { echo "the sandbox has ended" >&2; exit 125; }
stdin=
for word; do [ "$word" = --password-stdin ] && IFS= read -r -d '' stdin; done
env=()
# Linux, and bash 4.4 or newer: what is not there is macOS's.
if ! { mapfile -d '' env </proc/self/environ; } 2>/dev/null; then
  for name in $(compgen -e); do env+=("$name=\${!name}"); done
fi
printf '%s\\0' "\${${STAND_INS_VARIABLE}#*:}" "\${0##*/}" "$PWD" "$stdin" "$#" "$@" "\${#env[@]}" "\${env[@]}" >&3
IFS= read -r -d '' code <&3 || { echo "the sandbox has ended" >&2; exit 125; }
IFS= read -r -d '' stderr <&3
printf '%s' "$stderr" >&2
IFS= read -r -d '' size <&3
if [ "\${BASH_VERSINFO[0]}" -ge 5 ]; then
  [ "$size" = 0 ] || IFS= read -r -N "$size" stdout <&3
  printf '%s' "$stdout"
else
  cat <&3
fi
exit "$code"
`;

/** The same for machines without bash. */
const NODE_CLIENT = `
const { connect } = require('node:net');
const [port, token] = process.env.${STAND_INS_VARIABLE}.split(':');
const [, script, ...args] = process.argv;
const stdin = args.includes('--password-stdin') ? require('node:fs').readFileSync(0, 'utf8') : '';
const env = Object.entries(process.env).map(([name, value]) => name + '=' + value);
const name = script.split('/').pop().replace(/\\.cjs$/, '');
const fields = [token, name, process.cwd(), stdin, args.length, ...args, env.length, ...env];
const chunks = [];
const socket = connect(Number(port), '127.0.0.1', () => socket.write(fields.map((field) => field + '\\0').join('')));
socket.on('data', (chunk) => chunks.push(chunk));
socket.on('error', () => {});
socket.on('close', () => {
  const [code = '', stderr = 'the sandbox has ended\\n', _size, ...stdout] = Buffer.concat(chunks).toString('utf8').split('\\0');
  process.stderr.write(stderr);
  process.stdout.write(stdout.join('\\0'));
  process.exitCode = code === '' ? 125 : Number(code);
});
`;

/** For machines that lack them (macOS). */
const SUBSTITUTES: Record<string, string> = {
  sha256sum: '#!/bin/sh\nexec shasum -a 256 "$@"\n',
  timeout: '#!/bin/sh\nexec perl -e \'alarm shift; exec @ARGV\' "$@"\n',
  flock: `#!/usr/bin/perl
use Fcntl ':flock';
my ($kind, $wait) = (LOCK_EX, 0);
while ($ARGV[0] =~ /^-([ns])$/) { shift; $1 eq 'n' ? ($wait = LOCK_NB) : ($kind = LOCK_SH); }
my $how = $kind | $wait;
my $what = shift;
# A number is a descriptor of the caller's, which keeps the lock when this process is gone.
open(my $file, $what =~ /^\\d+$/ ? '>>&=' : '>>', $what) or exit 66;
flock($file, $how) or exit 1;
exit(@ARGV ? system(@ARGV) >> 8 : 0);
`,
};

/**
 * Writes the stand-in commands of a droplet. Those for `docker` and `iptables` call the sandbox; `sudo` needs no
 * password, as for root; `df` tells of a full disk while the file `diskFullMark` exists.
 */
export function writeStandIns(folder: string, diskFullMark: string, bash: string | null = findBash()): void {
  mkdirSync(folder, { recursive: true });
  const add = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o755 });
  for (const name of ['docker', 'iptables']) {
    if (bash !== null) {
      add(name, `#!${bash} -p${BASH_CLIENT}`);
    } else {
      add(`${name}.cjs`, NODE_CLIENT);
      add(name, `#!/bin/sh\nexec ${quote(process.execPath)} "$0.cjs" "$@"\n`);
    }
  }
  add('sudo', '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n');
  add(
    'df',
    `#!/bin/sh
PATH=${SYSTEM_PATH}
[ -e ${quote(diskFullMark)} ] || exec df "$@"
df "$@" | awk 'NR > 1 { $3 = $2; $4 = 0; $5 = "100%" } 1'
`,
  );
  for (const [name, text] of Object.entries(SUBSTITUTES)) if (!isInstalled(name)) add(name, text);
}

function findBash(): string | null {
  const places = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash', '/opt/homebrew/bin/bash'];
  return places.find((path) => existsSync(path)) ?? null;
}

/** A word for the shell, whatever folder the user chose. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function isInstalled(name: string): boolean {
  return SYSTEM_PATH.split(':').some((folder) => existsSync(join(folder, name)));
}
