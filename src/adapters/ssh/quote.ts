/**
 * The command line that has `sh` run a script, whatever the login shell is that sshd hands it to: sh, bash, zsh, fish,
 * tcsh. Single quotes protect everything in all of them but a backslash (fish), a line break and `!` (tcsh), so a
 * script with one of these travels as `printf %b` text. `exec`: a signal that ends the script must not come back as the
 * login shell's exit code.
 */
export function shellCommand(script: string): string {
  if (!/[\\\n!]/.test(script)) return `exec sh -c ${quote(script)}`;
  const encoded = script.replace(/[\\\n!']/g, (c) => `\\0${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `exec sh -c 'eval "shift; $(printf %b "$1")"' sh '${encoded}'`;
}

/** One word for any shell, if it holds no backslash, line break or `!`. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
