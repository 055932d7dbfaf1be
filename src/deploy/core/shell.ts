import type { RemoteCommand } from '../../ports.js';
import { quote } from '../../shell-quote.js';

export { quote };

/** `~/do-deploy/APP`, for the droplet's shell to expand. */
export function appFolder(app: string): string {
  return `"$HOME"/do-deploy/${quote(app)}`;
}

export function releaseFolder(app: string, release: string): string {
  return `${appFolder(app)}/releases/${quote(release)}`;
}

/** In ms. */
export const SECOND = 1_000;

/** A remote command from the lines of its script. By default it may take 30 s and may be repeated. */
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

/** Lines that write the value as one line of JSON. The rename leaves no half-written file behind. */
export function writeFile(name: string, value: unknown): string[] {
  return [`printf '%s\\n' ${quote(JSON.stringify(value))} >${name}.new`, `mv -f ${name}.new ${name}`];
}
