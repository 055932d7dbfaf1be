/**
 * The command line that runs a script with `sh`, whatever login shell sshd passes it to: sh, bash, zsh, fish, tcsh. In all
 * of them, single quotes protect everything except a backslash (fish), a line break and `!` (tcsh), so a script with one
 * of these is sent as `printf %b` text. `exec`: a signal that ends the script must not become an exit code of the login
 * shell.
 */
export function shellCommand(script: string): string {
  if (!/[\\\n!]/.test(script)) return `exec sh -c ${quote(script)}`;
  const encoded = script.replace(/[\\\n!']/g, (c) => `\\0${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `exec sh -c 'eval "shift; $(printf %b "$1")"' sh '${encoded}'`;
}

/** One word for any shell, if it contains no backslash, line break or `!`. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
