import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeployError } from '../../errors.js';

/** Where a droplet finds the commands of this machine. */
export const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin';

/** Address of the droplet's stand-in server, for the client scripts: `PORT:TOKEN`. */
export const STAND_INS_VARIABLE = 'DO_SANDBOX_STAND_INS';

/**
 * Sends one call to the sandbox's process and prints the answer; stand-in-server.ts describes the protocol. bash, because
 * it speaks TCP by itself and starts in 2 ms (Node takes 60). It starts no other process: a deploy makes hundreds of
 * calls, and processes are what they cost.
 */
const CLIENT = `
LC_ALL=C
# Without the sandbox there is no server: print that instead of the error of exec.
{ exec 3<>"/dev/tcp/127.0.0.1/\${${STAND_INS_VARIABLE}%:*}"; } 2>/dev/null || { echo "the sandbox has ended" >&2; exit 125; }
stdin=
for word; do [ "$word" = --password-stdin ] && IFS= read -r -d '' stdin; done
env=()
# Linux with bash 4.4 or newer; else (macOS) one variable at a time.
if ! { mapfile -d '' env </proc/self/environ; } 2>/dev/null; then
  for name in $(compgen -e); do env+=("$name=\${!name}"); done
fi
printf '%s\\0' "\${${STAND_INS_VARIABLE}#*:}" "\${0##*/}" "$PWD" "$stdin" "$$" "$#" "$@" "\${#env[@]}" "\${env[@]}" >&3
IFS= read -r -d '' code <&3 || { echo "the sandbox has ended" >&2; exit 125; }
[ "$code" != stream ] || exec cat <&3
if [ "$code" = become ]; then
  words=()
  IFS= read -r -d '' count <&3
  while [ "\${#words[@]}" -lt "$count" ]; do IFS= read -r -d '' word <&3; words+=("$word"); done
  exec "\${words[@]}"
fi
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

/** Replacements for commands that macOS lacks. */
const SUBSTITUTES: Record<string, string> = {
  sha256sum: '#!/bin/sh\nexec shasum -a 256 "$@"\n',
  timeout: '#!/bin/sh\nexec perl -e \'alarm shift; exec @ARGV\' "$@"\n',
  flock: `#!/usr/bin/perl
use Fcntl ':flock';
my ($kind, $wait) = (LOCK_EX, 0);
while ($ARGV[0] =~ /^-([ns])$/) { shift; $1 eq 'n' ? ($wait = LOCK_NB) : ($kind = LOCK_SH); }
my $how = $kind | $wait;
my $what = shift;
# A number is a descriptor of the caller, which keeps the lock after this process has ended.
open(my $file, $what =~ /^\\d+$/ ? '>>&=' : '>>', $what) or exit 66;
flock($file, $how) or exit 1;
exit(@ARGV ? system(@ARGV) >> 8 : 0);
`,
};

/**
 * Writes the stand-in commands of a droplet. `docker` and `iptables` call the sandbox; `sudo` needs no password, like for
 * root; `df` reports as many free KB as the file `freeKilobytes` says, if it exists. Throws DeployError sandbox-bash.
 */
export function writeStandIns(folder: string, freeKilobytes: string): void {
  const bash = ['/bin/bash', '/usr/bin/bash', '/usr/local/bin/bash'].find((path) => existsSync(path));
  if (bash === undefined) {
    const hint = 'Install it, for instance with `apk add bash` on Alpine.';
    throw new DeployError('sandbox-bash', 'The sandbox needs bash on this machine.', { source: 'user', hint });
  }
  mkdirSync(folder, { recursive: true });
  const add = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o755 });
  for (const name of ['docker', 'iptables']) add(name, `#!${bash} -p${CLIENT}`);
  add('sudo', '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n');
  add(
    'df',
    `#!/bin/sh
PATH=${SYSTEM_PATH}
free=$(cat ${quote(freeKilobytes)} 2>/dev/null) || exec df "$@"
df "$@" | awk -v free="$free" 'NR > 1 { $2 = $2 > free ? $2 : free; $3 = $2 - free; $4 = free; $5 = int(100 * $3 / $2) "%" } 1'
`,
  );
  for (const [name, text] of Object.entries(SUBSTITUTES)) if (!isInstalled(name)) add(name, text);
}

/** Quotes a path for the shell: the user may have chosen any folder. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function isInstalled(name: string): boolean {
  return SYSTEM_PATH.split(':').some((folder) => existsSync(join(folder, name)));
}
