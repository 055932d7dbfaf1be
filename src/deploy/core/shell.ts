import type { RemoteCommand } from '../../ports.js';
/** A word for the shell, whatever is in it. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `~/do-deploy/APP`, as the droplet's shell expands it. */
export function appFolder(app: string): string {
  return `"$HOME"/do-deploy/${quote(app)}`;
}

export function releaseFolder(app: string, release: string): string {
  return `${appFolder(app)}/releases/${quote(release)}`;
}

export const SECOND = 1_000;

/** Builds a command. By default it may take 30 s and is repeatable. */
export function command(
  name: string,
  args: RemoteCommand['args'],
  lines: (string | undefined)[],
  options: Partial<Omit<RemoteCommand, 'name' | 'args' | 'script'>> = {},
): RemoteCommand {
  return {
    name,
    args,
    script: lines.filter((line) => line !== undefined).join('\n'),
    ...options,
    timeoutMs: options.timeoutMs ?? 30 * SECOND,
    repeatable: options.repeatable ?? true,
  };
}

export function writeFile(name: string, value: unknown): string[] {
  return [`printf '%s\\n' ${quote(JSON.stringify(value))} >${name}.new`, `mv -f ${name}.new ${name}`];
}
