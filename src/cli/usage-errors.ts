import { suggest } from '../config/suggest.js';
import { DeployError } from '../errors.js';

/** A wrong command line. `hint` says what to type instead. */
export function usage(message: string, hint: string): DeployError {
  return new DeployError('usage', message, { source: 'user', hint });
}

/** What yargs would take silently for something else. */
export function rejectTraps(argv: readonly string[], flags: ReadonlySet<string>): void {
  for (const word of argv) {
    // --force=yes is false to yargs.
    const [, flag] = /^--([a-z-]+)=/.exec(word) ?? [];
    if (flag !== undefined && flags.has(flag)) throw usage(`--${flag} takes no value.`, `--${flag}, or leave it out`);
  }
  // What follows a bare -- is dropped without a word.
  const end = argv.indexOf('--');
  const [extra] = end === -1 ? [] : argv.slice(end + 1);
  if (extra !== undefined) throw tooMany(extra);
}

/** What yargs found wrong, in our words. `options` are all there are, whatever the command. */
export function translateComplaint(
  complaint: string,
  argv: readonly string[],
  options: readonly string[],
): DeployError {
  const unknown = /^Unknown arguments?: (.*)$/.exec(complaint)?.[1]?.split(', ')[0];
  if (unknown !== undefined) return unknownArgument(unknown, argv, options);
  if (complaint.startsWith('Not enough non-option arguments')) return tooFew(argv);
  const lacking = /^Not enough arguments following: (.*)$/.exec(complaint)?.[1];
  if (lacking !== undefined) return usage(`--${lacking} needs a value.`, `--${lacking} VALUE`);
  return usage(complaint, 'do-deploy --help');
}

function tooFew(argv: readonly string[]): DeployError {
  if (argv.includes('sandbox'))
    return usage('Which sandbox command?', 'do-deploy sandbox up, or do-deploy sandbox demo');
  if (argv.includes('lock')) return usage('Which lock, and which environment?', 'do-deploy lock status ENVIRONMENT');
  if (argv[0] === 'tag') return usage('Which name?', 'do-deploy tag NAME, for example do-deploy tag v1.4.2');
  const command = ['heal', 'adopt', 'rollback', 'history'].find((name) => argv.includes(name));
  if (command !== undefined) return usage('Which environment?', `do-deploy ${command} ENVIRONMENT`);
  return usage('Which environment?', 'do-deploy ENVIRONMENT [RELEASE], for example do-deploy staging');
}

function tooMany(word: string): DeployError {
  return usage(`"${word}" is one word too many.`, 'do-deploy ENVIRONMENT [RELEASE]');
}

function unknownArgument(name: string, argv: readonly string[], options: readonly string[]): DeployError {
  const dashes = ['--', '-'].find((dash) => argv.some((word) => word.split('=')[0] === dash + name));
  if (dashes === undefined) return tooMany(name);
  const message = `There is no option ${dashes}${name} here.`;
  if (options.includes(name)) return usage(message, 'do-deploy COMMAND --help lists the options of a command');
  const similar = suggest(name, options);
  return usage(message, similar === undefined ? 'do-deploy --help lists the options' : `did you mean --${similar}?`);
}
