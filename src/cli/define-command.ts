/** How a command is declared: one file with its help, its typed arguments and what it does. */
import type { LoadedSettings, LoadOptions } from '../config/load.js';
import type { Settings } from '../config/settings.js';
import type { ProcessEnv } from '../config/variables.js';
import type { DeployPorts } from '../deploy/core/deploy-ports.js';
import type { SessionOptions } from '../deploy/session/session.js';
import type { DeployError } from '../errors.js';
import type { Clock, Cloud, Prompts } from '../ports.js';
import type { Output } from '../reporters/output.js';
import type { DeployResult } from '../rollout/model.js';
import type { Arguments, ValuesOf } from './arguments.js';
import type { commonOptions } from './options.js';
import type { RollArguments } from './roll.js';
import type { ProgramIO } from './screen.js';
import type { Signals } from './signals.js';

/** What the runner loads and checks before the command runs, for the environment that it names; see LoadOptions. */
export type SettingsLevel = 'none' | 'fleet' | 'images' | 'release';

/** What commands are for, in the order of help: lists of commands have one section for each. */
export const TOPICS = {
  deploy: 'Deploy',
  look: 'Look',
  repair: 'Repair',
  operate: 'Operate',
  version: 'Name versions',
  'set-up': 'Set up',
} as const;

/** Arguments after `do-deploy`, and what they do. */
export type Example = readonly [line: string, does: string];

export interface CommandEnd {
  exit: number;
  output?: Output | readonly Output[];
  /** Lines for standard error. */
  notes?: readonly string[];
  /** What failed without ending the command. */
  errors?: readonly DeployError[];
}

export type CloudAccess = Pick<Settings, 'token' | 'tokenPlace' | 'apiUrl'>;

/** What a command gets from the runner. It has no other way to the user. */
export interface CommandContext<A = ValuesOf<Arguments>, L extends SettingsLevel = SettingsLevel> {
  /** Options and positionals by their declared names; `rest` holds the words after `--`. */
  readonly args: A & ValuesOf<typeof commonOptions> & { readonly rest: readonly string[] };
  readonly settings: L extends 'none' ? undefined : LoadedSettings;
  /** The words of the command line, to repeat with what is missing. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: ProcessEnv;
  readonly clock: Clock;
  /** Loads the settings of an environment; its secrets are masked from then on. */
  load(options: Pick<LoadOptions, 'environment' | 'needs' | 'openTree'>): Promise<LoadedSettings>;
  /** The names of the project's environments. */
  environments(): Promise<string[]>;
  ports(settings: Settings): Promise<DeployPorts>;
  /** DigitalOcean's API alone, before there are settings. The token is masked from then on. */
  cloud(access: CloudAccess): Promise<Cloud>;
  /** Runs a rollout. Signals bring it to a safe end. */
  roll(
    settings: Settings,
    args: Omit<RollArguments, 'config'>,
    rollout: (ports: DeployPorts, options: SessionOptions) => Promise<DeployResult>,
  ): Promise<CommandEnd>;
  /** Prints while the command runs. */
  show(output: Output): void;
  /** Masks and cleans a text that goes to a file. */
  redact(text: string): string;
  /** A line on standard error, while the command runs. */
  note(text: string): void;
  /** Whether a user at a terminal can answer a question. */
  readonly canAsk: boolean;
  /** CI answers for itself. */
  readonly isCi: boolean;
  /** Only a plain yes is a yes. */
  ask(question: string): Promise<boolean>;
  /** What the user types; '' after Ctrl-C. */
  askFor(question: string): Promise<string>;
  /** Questions with lists to choose from; only if `canAsk`. */
  prompts(): Promise<Prompts>;
  /** From now on SIGINT, SIGTERM and SIGHUP no longer end the process. */
  signals(): Signals;
  /** The standard streams, for a program that runs elsewhere. */
  programIO(): ProgramIO;
  /** All commands, for completion. */
  commands(): Promise<readonly Command[]>;
}

interface Declaration<P extends Arguments, O extends Arguments, L extends SettingsLevel> {
  /** One word, or a group's word and one more: `lock status`. */
  readonly name: string;
  readonly topic: keyof typeof TOPICS;
  /** For lists of commands: one line, no full stop. */
  readonly summary: string;
  /** What the help of the command adds to the summary. */
  readonly description?: string;
  readonly examples: readonly [Example, Example, ...Example[]];
  readonly positionals?: P;
  readonly options?: O;
  /** The command takes words after `--`: what help calls them. */
  readonly rest?: { readonly value: string; readonly describe: string; readonly isRequired?: boolean };
  readonly settings: L;
  /** It changes a fleet: the project's layers are loaded and checked with the settings. */
  readonly rolls?: boolean;
  /** Standard output belongs to what it runs: everything of do-deploy's own goes to standard error. */
  readonly ownsOutput?: boolean;
  /** Exit codes other than 0, 1 and 2. */
  readonly exits?: Readonly<Record<number, string>>;
  run(context: CommandContext<ValuesOf<P> & ValuesOf<O>, L>): Promise<CommandEnd>;
}

export type Command = Omit<Declaration<Arguments, Arguments, SettingsLevel>, 'run' | 'positionals' | 'options'> & {
  readonly positionals: Arguments;
  readonly options: Arguments;
  run(context: CommandContext): Promise<CommandEnd>;
};

/** Commands by name, in the order of help. The first one is also run when no command is named. */
export type CommandList = Readonly<Record<string, () => Promise<{ default: Command }>>>;

export function defineCommand<
  const L extends SettingsLevel,
  const P extends Arguments = Record<never, never>,
  const O extends Arguments = Record<never, never>,
>(declaration: Declaration<P, O, L>): Command {
  return { positionals: {}, options: {}, ...declaration } as unknown as Command;
}

export async function loadCommands(commands: CommandList): Promise<Command[]> {
  return await Promise.all(Object.values(commands).map(async (load) => (await load()).default));
}
