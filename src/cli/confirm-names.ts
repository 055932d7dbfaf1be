/** Names given with --confirm: only those that a layer asks for are taken, so that a typo is not a missing confirmation. */
import { suggest } from '../config/suggest.js';
import type { DeployError } from '../errors.js';
import type { Handler } from '../rollout/lifecycle.js';
import { commandLine, usage } from './usage-errors.js';

/** Throws DeployError usage at the first name that no layer of these handlers asks for. */
export function refuseUnknownNames(
  given: readonly string[],
  handlers: readonly Handler[],
  argv: readonly string[],
): void {
  const known = [...new Set(handlers.flatMap(({ layer }) => layer?.confirms ?? []))];
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownName(unknown, known, given, argv);
}

function unknownName(
  name: string,
  known: readonly string[],
  given: readonly string[],
  argv: readonly string[],
): DeployError {
  const message = `No checklist has an item "${name}".`;
  const similar = suggest(name, known);
  if (similar !== undefined) return usage(message, commandLine(instead(argv, name, similar)));
  const missing = known.find((one) => !given.includes(one)) ?? known[0];
  return usage(message, missing === undefined ? 'leave out --confirm' : commandLine(instead(argv, name, missing)));
}

function instead(argv: readonly string[], name: string, similar: string): string[] {
  return argv.map((word, index) => {
    if (word === `--confirm=${name}`) return `--confirm=${similar}`;
    return word === name && argv[index - 1] === '--confirm' ? similar : word;
  });
}
