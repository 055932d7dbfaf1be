/**
 * argv → what to do, as data. Only yargs is loaded here: the commands themselves are imported when one is run, so that
 * --help and --version answer at once.
 */
import yargs from 'yargs';
import { LONGEST_MS, parseDuration } from '../config/duration.js';
import { IMAGE_TAG } from '../config/names.js';
import { rejectTraps, translateComplaint, usage } from './usage-errors.js';

export interface CommonOptions {
  config?: string;
  json: boolean;
  verbose: boolean;
  noColor: boolean;
}

export interface DeployInvocation extends CommonOptions {
  command: 'deploy';
  environment: string;
  /** RELEASE: the images' tag, and where git has a tag or commit of that name, the version of the files. */
  release?: string;
  /** The files that are here, whatever git has. */
  workingTree: boolean;
  /** Tag RELEASE first. */
  createTag: boolean;
  /** With `createTag`, and nothing to commit: an empty commit. */
  allowEmpty: boolean;
  yes: boolean;
  allowDowntime: boolean;
  force: boolean;
  /** 0: don't wait. */
  waitLockMs: number;
}

export interface HealInvocation extends CommonOptions {
  command: 'heal';
  environment: string;
  allowDowntime: boolean;
  waitLockMs: number;
}

export interface AdoptInvocation extends CommonOptions {
  command: 'adopt';
  environment: string;
  allowDowntime: boolean;
  waitLockMs: number;
}

export interface RollbackInvocation extends CommonOptions {
  command: 'rollback';
  environment: string;
  /** A release's id, or its images' tag; absent: the one before the current. */
  release?: string;
  yes: boolean;
  allowDowntime: boolean;
  waitLockMs: number;
}

export interface HistoryInvocation extends CommonOptions {
  command: 'history';
  environment: string;
}

export interface TagInvocation extends CommonOptions {
  command: 'tag';
  name: string;
  all: boolean;
  allowEmpty: boolean;
  yes: boolean;
}

export interface TagsInvocation extends CommonOptions {
  command: 'tags';
}

export interface StatusInvocation extends CommonOptions {
  command: 'status';
  /** Absent: all of them. */
  environment?: string;
  /** Compare with the fleet's release instead of telling what there is. */
  check: boolean;
}

export interface LockInvocation extends CommonOptions {
  command: 'lock';
  action: 'status' | 'break';
  environment: string;
  yes: boolean;
}

export interface SandboxInvocation extends CommonOptions {
  command: 'sandbox';
  action: 'up' | 'demo';
  droplets: number;
  folder?: string;
}

/** `show` is --help or --version: the text to print. */
export type Invocation =
  | DeployInvocation
  | StatusInvocation
  | HealInvocation
  | AdoptInvocation
  | RollbackInvocation
  | HistoryInvocation
  | TagInvocation
  | TagsInvocation
  | LockInvocation
  | SandboxInvocation
  | { command: 'show'; text: string };

const TEXT = { type: 'string' } as const;
const SWITCH = { type: 'boolean' } as const;

const ENVIRONMENT = { ...TEXT, describe: 'One of environments: in config/deploy.yml' } as const;
const YES = { ...SWITCH, alias: 'y', describe: "Don't ask" } as const;

const FLAGS = {
  config: {
    type: 'string',
    requiresArg: true,
    describe: 'Configuration file; else config/deploy.yml, here or above',
  },
  json: { type: 'boolean', describe: 'One JSON event per line on standard output' },
  verbose: { type: 'boolean', describe: 'Also show remote commands and API calls' },
  'no-color': { type: 'boolean', describe: 'No colours; so does the variable NO_COLOR' },
} as const;

const ROLLOUT_FLAGS = {
  'allow-downtime': { type: 'boolean', describe: 'Go on where capacity can not be kept, as with a single droplet' },
  'wait-lock': { type: 'string', requiresArg: true, describe: 'Wait this long (10m) while somebody else is deploying' },
} as const;

const ALLOW_EMPTY = {
  'allow-empty': { type: 'boolean', describe: 'With nothing to commit, make an empty commit' },
} as const;

const DEPLOY_FLAGS = {
  yes: { ...YES, describe: "Don't ask before production" },
  ...ROLLOUT_FLAGS,
  force: { type: 'boolean', describe: 'Deploy even where this release runs already' },
  'create-tag': { type: 'boolean', describe: 'First tag what is here as RELEASE, as `tag` does' },
  ...ALLOW_EMPTY,
  'working-tree': { type: 'boolean', describe: 'Take the files that are here, even where git has RELEASE' },
} as const;

const TAG_FLAGS = {
  all: { type: 'boolean', describe: 'Commit also what is not staged, new files included' },
  ...ALLOW_EMPTY,
} as const;

const STATUS_FLAGS = {
  check: { type: 'boolean', describe: 'Tell how droplets differ from the release; exit code 4 if any does' },
} as const;

const SANDBOX_FLAGS = {
  droplets: { type: 'string', requiresArg: true, default: '3', describe: 'Droplets behind the balancer' },
  folder: { type: 'string', requiresArg: true, describe: 'Where to keep its files' },
} as const;

const ALL_FLAGS = {
  ...FLAGS,
  ...DEPLOY_FLAGS,
  ...STATUS_FLAGS,
  ...TAG_FLAGS,
  ...SANDBOX_FLAGS,
  help: SWITCH,
  version: SWITCH,
};
/** Options without a value. */
const SWITCHES = new Set(Object.entries(ALL_FLAGS).flatMap(([name, { type }]) => (type === 'boolean' ? [name] : [])));

const EPILOGUE = `Configuration: config/deploy.yml; variables: the environment, else config/.env.

Exit codes: 0 deployed, or nothing to do; 1 failed; 2 wrong usage or configuration;
3 somebody else is deploying; 4 droplets differ (status --check); 130 interrupted.`;

type Parsed = Record<string, unknown>;

/**
 * @param argv without node and the script
 * @throws DeployError `usage`, whose hint says what to type instead
 */
export function parseArguments(argv: readonly string[], version: string): Invocation {
  let invocation: Invocation | undefined;
  const found = (result: Invocation) => {
    invocation = result;
  };
  const parser = yargs()
    .scriptName('do-deploy')
    .usage(
      '$0 ENVIRONMENT [RELEASE]\n\nTakes the droplets of an environment to a release, one at a time, with no failed request.',
    )
    .detectLocale(false)
    .exitProcess(false)
    // Lines are written to fit; wrapping costs a fifth of the whole time of --help.
    .wrap(null)
    .parserConfiguration({
      // A release 1.10 is text, and --no-color an option of its own.
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'duplicate-arguments-array': false,
    })
    .options(FLAGS)
    .command(
      ['$0 <environment> [release]', 'deploy'],
      'Deploy a release',
      (command) =>
        command
          .positional('environment', ENVIRONMENT)
          .positional('release', {
            ...TEXT,
            describe: 'Value of IMAGE_TAG; a tag or commit in git: also of the files',
          })
          .options(DEPLOY_FLAGS),
      (parsed: Parsed) => found(deployFrom(parsed)),
    )
    .command(
      'status [environment]',
      "Show each droplet's rotation, release and health",
      (command) =>
        command
          .positional('environment', { ...TEXT, describe: 'Only this one; all if left out' })
          .options(STATUS_FLAGS),
      (parsed: Parsed) => found(statusFrom(parsed)),
    )
    .command(
      'heal <environment>',
      'Bring back what a run that died left out of rotation',
      (command) => command.positional('environment', ENVIRONMENT).options(ROLLOUT_FLAGS),
      (parsed: Parsed) => found(healFrom(parsed)),
    )
    .command(
      'adopt <environment>',
      'Bring droplets that joined since to the release',
      (command) => command.positional('environment', ENVIRONMENT).options(ROLLOUT_FLAGS),
      (parsed: Parsed) => found({ ...healFrom(parsed), command: 'adopt' }),
    )
    .command(
      'rollback <environment> [release]',
      'Go back to a release that the droplets still hold',
      (command) =>
        command
          .positional('environment', ENVIRONMENT)
          .positional('release', { ...TEXT, describe: "Its id or its images' tag; the one before if left out" })
          .options({ yes: YES, ...ROLLOUT_FLAGS }),
      (parsed: Parsed) => found(rollbackFrom(parsed)),
    )
    .command(
      'history <environment>',
      'Who deployed what, when, and how it ended',
      (command) => command.positional('environment', ENVIRONMENT),
      (parsed: Parsed) => found({ command: 'history', environment: String(parsed.environment), ...commonFrom(parsed) }),
    )
    .command(
      'tag <name>',
      'Tag this version in git; commits what is staged',
      (command) =>
        command
          .positional('name', { ...TEXT, describe: 'For example v1.4.2' })
          .options({ yes: { ...YES, describe: "Don't ask before committing" }, ...TAG_FLAGS }),
      (parsed: Parsed) => found(tagFrom(parsed)),
    )
    .command(
      'tags',
      "Show git's tags, newest first, and what runs them",
      (command) => command,
      (parsed: Parsed) => found({ command: 'tags', ...commonFrom(parsed) }),
    )
    .command(
      'lock <action> <environment>',
      'Show who deploys at the moment, or stop them',
      (command) =>
        command
          .positional('action', { ...TEXT, describe: 'status, or break' })
          .positional('environment', ENVIRONMENT)
          .options({ yes: YES }),
      (parsed: Parsed) => found(lockFrom(parsed)),
    )
    .command(
      'sandbox <action>',
      'A DigitalOcean region in a box, to try do-deploy on',
      (command) =>
        command
          .positional('action', { ...TEXT, describe: 'up: keep it running; demo: watch a deploy on it' })
          .options(SANDBOX_FLAGS),
      (parsed: Parsed) => found(sandboxFrom(parsed)),
    )
    .example('$0 staging', 'deploy staging')
    .example('$0 production v1.4.2', 'deploy v1.4.2: the images, and the files in git')
    .epilogue(EPILOGUE)
    .help()
    .alias('help', 'h')
    .version(version)
    .strict()
    .fail((message) => {
      throw translateComplaint(message, argv, Object.keys(ALL_FLAGS));
    });

  rejectTraps(argv, SWITCHES);
  let text = '';
  parser.parse(
    isSandboxEnvironment(argv) ? ['deploy', ...argv] : [...argv],
    {},
    (_error: unknown, _parsed: unknown, output: string) => {
      text = output;
    },
  );
  return invocation ?? { command: 'show', text };
}

/** `sandbox v2` deploys to the environment of that name: of what may follow only `up` and `demo` are commands. */
function isSandboxEnvironment(argv: readonly string[]): boolean {
  const isValue = (index: number) => {
    const [, option] = /^--([a-z-]+)$/.exec(argv[index - 1] ?? '') ?? [];
    return option !== undefined && option in ALL_FLAGS && !SWITCHES.has(option);
  };
  const [first, second] = argv.filter((word, index) => !word.startsWith('-') && !isValue(index));
  return first === 'sandbox' && second !== undefined && second !== 'up' && second !== 'demo';
}

function deployFrom(parsed: Parsed): DeployInvocation {
  const { release } = textOf(parsed, 'release');
  if (release !== undefined && !IMAGE_TAG.test(release)) {
    throw usage(`"${release}" can't be a release.`, "A release is an image's tag: letters, digits and . _ -");
  }
  if (release === undefined && parsed['create-tag'] === true) {
    throw usage('--create-tag needs the name of the tag.', 'do-deploy ENVIRONMENT RELEASE --create-tag');
  }
  if (parsed['allow-empty'] === true && parsed['create-tag'] !== true) {
    throw usage('--allow-empty is about the commit of --create-tag.', 'do-deploy ENVIRONMENT RELEASE --create-tag');
  }
  return {
    command: 'deploy',
    environment: String(parsed.environment),
    release,
    ...commonFrom(parsed),
    ...rolloutFrom(parsed),
    yes: parsed.yes === true,
    force: parsed.force === true,
    createTag: parsed['create-tag'] === true,
    allowEmpty: parsed['allow-empty'] === true,
    workingTree: parsed['working-tree'] === true,
  };
}

function tagFrom(parsed: Parsed): TagInvocation {
  return {
    command: 'tag',
    name: String(parsed.name),
    ...commonFrom(parsed),
    yes: parsed.yes === true,
    all: parsed.all === true,
    allowEmpty: parsed['allow-empty'] === true,
  };
}

function statusFrom(parsed: Parsed): StatusInvocation {
  const check = parsed.check === true;
  return { command: 'status', ...textOf(parsed, 'environment'), ...commonFrom(parsed), check };
}

function healFrom(parsed: Parsed): HealInvocation {
  return { command: 'heal', environment: String(parsed.environment), ...commonFrom(parsed), ...rolloutFrom(parsed) };
}

function rollbackFrom(parsed: Parsed): RollbackInvocation {
  return {
    command: 'rollback',
    environment: String(parsed.environment),
    ...textOf(parsed, 'release'),
    ...commonFrom(parsed),
    ...rolloutFrom(parsed),
    yes: parsed.yes === true,
  };
}

function lockFrom(parsed: Parsed): LockInvocation {
  const { action } = parsed;
  if (action !== 'status' && action !== 'break') {
    throw usage(
      `There is no "lock ${action}".`,
      'do-deploy lock status ENVIRONMENT, or do-deploy lock break ENVIRONMENT',
    );
  }
  const environment = String(parsed.environment);
  return { command: 'lock', action, environment, ...commonFrom(parsed), yes: parsed.yes === true };
}

function rolloutFrom(parsed: Parsed): { allowDowntime: boolean; waitLockMs: number } {
  const waitLockMs = parseDuration(String(parsed['wait-lock'] ?? '0s'));
  if (waitLockMs === undefined || waitLockMs > LONGEST_MS) {
    throw usage(`--wait-lock ${parsed['wait-lock']} is no duration up to 24h.`, '--wait-lock 10m');
  }
  return { allowDowntime: parsed['allow-downtime'] === true, waitLockMs };
}

function sandboxFrom(parsed: Parsed): SandboxInvocation {
  const action = parsed.action === 'demo' ? 'demo' : 'up';
  const droplets = Number(parsed.droplets);
  // The demonstration takes them out one by one, and something has to serve meanwhile.
  const fewest = action === 'demo' ? 2 : 1;
  if (!Number.isInteger(droplets) || droplets < fewest || droplets > 50) {
    throw usage(`--droplets ${parsed.droplets} is not a number from ${fewest} to 50.`, '--droplets 3');
  }
  return { command: 'sandbox', action, droplets, ...textOf(parsed, 'folder'), ...commonFrom(parsed) };
}

function commonFrom(parsed: Parsed): CommonOptions {
  return {
    ...textOf(parsed, 'config'),
    json: parsed.json === true,
    verbose: parsed.verbose === true,
    noColor: parsed['no-color'] === true,
  };
}

/** The option as a property, or no property. */
function textOf<K extends string>(parsed: Parsed, key: K): { [P in K]?: string } {
  const value = parsed[key];
  return (typeof value === 'string' ? { [key]: value } : {}) as { [P in K]?: string };
}
