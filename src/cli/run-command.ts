/**
 * The runner: the only way from a command to the screen. It loads settings, listens to signals, masks and cleans every
 * text, prints it, and turns the end into an exit code.
 */
import { resolve } from 'node:path';
import { systemClock } from '../adapters/system-clock.js';
import { findConfig } from '../config/find-config.js';
import type { LoadedSettings } from '../config/load.js';
import { Secret } from '../config/secret.js';
import type { RunCommand } from '../config/secret-sources.js';
import type { FindHooks, ReadLayers } from '../config/section.js';
import type { ProcessEnv } from '../config/variables.js';
import { inform, reportTo } from '../deploy/core/report.js';
import { asDeployError, DeployError, reasonOf } from '../errors.js';
import { createReporter, type UserReporter } from '../reporters/index.js';
import { Redactor } from '../reporters/redacting.js';
import { cleanText } from '../reporters/text.js';
import type { Trace } from '../rollout/model.js';
import { withCapturedConsole } from './captured-console.js';
import { refuseUnknownNames } from './confirm-names.js';
import { type CommandContext, type CommandList, loadCommands } from './define-command.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';
import { knownSecrets } from './known-secrets.js';
import { defaultLogFolder, type LogFile, openLogFile } from './log-file.js';
import { chooseLevel, chooseOutputMode, ciLog, isCi } from './output-mode.js';
import type { Invocation } from './parse.js';
import { withoutExit } from './refuse-exit.js';
import { refuseFrozen } from './refuse-frozen.js';
import type { ReportFile } from './report-file.js';
import { RunRecords } from './run-records.js';
import type { Screen } from './screen.js';
import { listenForSignals, type Signals } from './signals.js';
import { commandLine, explainUnknownEnvironment } from './usage-errors.js';

/** The process that a command runs in. */
export interface Machine {
  /** Absolute. */
  cwd: string;
  /** Processes that it starts inherit it. */
  env: Record<string, string | undefined>;
  screen: Screen;
}

/** Bounds what layers print while they are loaded. */
const MAX_HELD_LINES = 1_000;

type Run = Extract<Invocation, { kind: 'run' }>;

export class Runner {
  readonly #machine: Machine;
  readonly #commands: CommandList;
  readonly #argv: readonly string[];
  readonly #args: CommandContext['args'];
  readonly #redactor: Redactor;
  readonly #reporter: UserReporter;
  #signals: Signals | undefined;
  /** A command that loads settings twice runs each command of `secrets:` once. */
  #runCommand: RunCommand | undefined;
  #hasNamedProject = false;
  /** How many times settings are being loaded right now. */
  #loading = 0;
  /** What layers print meanwhile, held back until all secrets are known. */
  #held: string[] = [];
  /** Of a run that changes a fleet. */
  #records: RunRecords | undefined;
  /** The first error that nothing caught. */
  #uncaught: DeployError | undefined;

  /**
   * @param args at least the common options
   * @param ownsOutput standard output belongs to what the command runs
   */
  constructor(
    machine: Machine,
    commands: CommandList,
    argv: readonly string[],
    args: Record<string, unknown>,
    ownsOutput = false,
  ) {
    this.#machine = machine;
    this.#commands = commands;
    this.#argv = argv;
    this.#args = args as CommandContext['args'];
    const { env, screen } = machine;
    this.#redactor = new Redactor(knownSecrets(machine.cwd, env, this.#args.config));
    this.#reporter = createReporter({
      ...chooseOutputMode(this.#args, env, !ownsOutput && screen.terminal !== undefined),
      level: chooseLevel(this.#args),
      out: (text) => (ownsOutput ? screen.writeError(text) : screen.write(text)),
      err: (text) => screen.writeError(text),
      terminal: ownsOutput ? undefined : screen.terminal,
      redactor: this.#redactor,
      clock: systemClock,
      ...ciLog(env, machine.cwd),
    });
  }

  /** Never throws. Resolves to the exit code. */
  async run(invocation: Run): Promise<number> {
    const run = () => this.#run(invocation);
    // Only commands that roll load layers.
    if (!invocation.command.rolls) return await run();
    return await withoutExit(process, () => withCapturedConsole((line) => this.#say(line), run));
  }

  #say(line: string): void {
    if (this.#loading === 0) inform({ clock: systemClock, reporter: this.#reporter }, line);
    else if (this.#held.length < MAX_HELD_LINES) this.#held.push(line);
  }

  async #run(invocation: Run): Promise<number> {
    const { command, args } = invocation;
    const reporter = this.#reporter;
    try {
      const report = await this.#openReport();
      const settings =
        command.settings === 'none'
          ? undefined
          : await this.#load(invocation, { environment: String(args.environment), needs: command.settings });
      const {
        exit,
        output = [],
        notes = [],
        errors = [],
      } = await command.run(this.#contextOf(invocation, settings, report));
      // The terminal is restored first: nothing may land in the middle of a live view.
      await reporter.close();
      for (const one of [output].flat()) reporter.print(one);
      for (const note of notes) reporter.printNote(note);
      for (const error of errors) reporter.printError(error);
      await this.#nameFiles(exit);
      // After the end of a rollout, in its last handlers: what fails there changes nothing.
      const isTooLate = command.rolls === true && exit === EXIT.ok;
      if (isTooLate && this.#uncaught !== undefined) reporter.printNote(`warning: ${this.#uncaught.message}`);
      const isKnown = this.#uncaught === undefined || exit === EXIT.failed || isTooLate;
      return isKnown ? exit : await this.fail(this.#uncaught);
    } catch (error) {
      return await this.fail(error);
    } finally {
      this.#signals?.dispose();
      this.#signals = undefined;
    }
  }

  /**
   * For an error that nothing caught, such as one of a layer. What is rolled is brought to a safe end first; then the
   * command fails. False: there is nothing to wait for.
   */
  interrupt(error: unknown): boolean {
    if (this.#signals === undefined) return false;
    const message = reasonOf(error);
    this.#uncaught ??= new DeployError('uncaught', `Nothing caught this error: ${message.replace(/\.$/, '')}.`, {
      hint: 'If it comes from a layer of yours, await what it starts. Otherwise it is a bug in do-deploy: report it.',
      cause: error,
    });
    this.#signals.interrupt(this.#uncaught);
    return true;
  }

  /** Prints an error. Resolves to its exit code. */
  async fail(thrown: unknown): Promise<number> {
    const error = asDeployError(thrown);
    await this.#reporter.close();
    this.#reporter.printError(error);
    const exit = exitCodeOfError(error);
    await this.#nameFiles(exit);
    return exit;
  }

  /** A file that cannot take the report is known before anything is changed. */
  async #openReport(): Promise<ReportFile | undefined> {
    const { report } = this.#args as { report?: string };
    if (report === undefined) return undefined;
    const { ReportFile } = await import('./report-file.js');
    return new ReportFile(resolve(this.#machine.cwd, report));
  }

  #record({ name }: Run['command'], environment: string, report: ReportFile | undefined): void {
    if (this.#records !== undefined) return;
    this.#records = new RunRecords(this.#openLog(name, environment), report);
    this.#reporter.follow(this.#records.report);
  }

  /** A log that cannot be written keeps nobody from deploying. */
  #openLog(command: string, environment: string): LogFile | undefined {
    const { logDir } = this.#args as { logDir?: string };
    const folder = logDir ?? defaultLogFolder(this.#machine.env);
    if (folder === undefined) return undefined;
    try {
      const run = { command, environment, now: systemClock.now(), pid: process.pid };
      const log = openLogFile(resolve(this.#machine.cwd, folder), run);
      this.#reporter.record(log.write);
      return log;
    } catch (error) {
      this.#reporter.printNote(`No log of this run is written to ${folder}: ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Says once where the files of the run are. */
  async #nameFiles(exit: number): Promise<void> {
    const records = this.#records;
    this.#records = undefined;
    for (const line of (await records?.end(exit)) ?? []) this.#reporter.printNote(line);
  }

  #contextOf(invocation: Run, settings: LoadedSettings | undefined, report: ReportFile | undefined): CommandContext {
    const { cwd, env, screen } = this.#machine;
    const reporter = this.#reporter;
    const args = this.#args;
    const ports: CommandContext['ports'] = async (of) =>
      (await import('./wire.js')).wire(of, reporter, {
        hide: (secrets) => this.#redactor.add(secrets),
        show: (names) => this.#redactor.show(names),
      });
    const cloud: CommandContext['cloud'] = async (access) => {
      this.#redactor.add([access.token.reveal()]);
      const { wireCloud } = await import('./wire.js');
      const report = reportTo({ clock: systemClock, reporter });
      const onTrace = (trace: Trace) => report({ type: 'trace', ...trace });
      return wireCloud(access, onTrace, (names) => this.#redactor.show(names));
    };
    const signals = () => {
      this.#signals ??= listenForSignals(process, systemClock);
      return this.#signals;
    };
    const canAsk = screen.isInteractive && !isCi(env) && !args.json;
    // The live view may be open.
    const aside = async <T>(task: () => Promise<T>): Promise<T> => {
      const resume = reporter.suspend();
      try {
        return await task();
      } finally {
        resume();
      }
    };
    const redact = (text: string) => this.#redactor.redact(cleanText(text));
    const askAside = (question: string, signal?: AbortSignal) =>
      aside(() => screen.ask(reporter.clean(question), signal));
    return {
      args,
      settings: settings as LoadedSettings,
      argv: this.#argv,
      cwd,
      env,
      clock: systemClock,
      load: (options) => this.#load(invocation, options),
      environments: async () => {
        this.#nameProject();
        return await (await import('../config/load.js')).listEnvironments(this.#project());
      },
      ports,
      cloud,
      signals,
      roll: async (of, options, rollout) => {
        const [{ roll }] = await Promise.all([import('./roll.js'), reporter.goLive()]);
        const { config } = args;
        const ask = canAsk && options.yes !== true ? askAside : undefined;
        this.#record(invocation.command, of.environment, report);
        return await roll(
          await ports(of),
          of,
          { ...options, config },
          { ...signals(), env, argv: this.#argv, redact, ask },
          rollout,
        );
      },
      show: (output) => reporter.print(output),
      redact,
      note: (text) => reporter.printNote(text),
      canAsk,
      isCi: isCi(env),
      ask: (question) => askAside(question),
      askFor: (question) => aside(() => screen.askFor(reporter.clean(question))),
      prompts: async () =>
        (await import('./prompts.js')).createPrompts({
          streams: screen.dialogue(chooseOutputMode(args, env, screen.terminal !== undefined)),
          clean: (text) => reporter.clean(text),
          hide: (secret) => this.#redactor.add([secret]),
        }),
      programIO: () => screen.programIO(),
      commands: () => loadCommands(this.#commands),
    };
  }

  async #load(
    { command, isDefault, operands }: Run,
    options: Parameters<CommandContext['load']>[0],
  ): Promise<LoadedSettings> {
    this.#nameProject();
    const [{ listEnvironments, loadSettings }, { runEachOnce }] = await Promise.all([
      import('../config/load.js'),
      import('../adapters/command-line.js'),
    ]);
    this.#runCommand ??= runEachOnce();
    const project = this.#project();
    this.#loading += 1;
    try {
      const own = command.rolls ? await ownCode() : {};
      const settings = await loadSettings({
        ...project,
        ...options,
        ...own,
        runCommand: this.#runCommand,
        onSecret: (secret) => this.#redactor.add([secret.reveal()]),
        refuse: ({ environment, freeze }) => {
          const { duringFreeze = true } = this.#args as { duringFreeze?: boolean };
          if (!duringFreeze)
            refuseFrozen(environment, freeze, systemClock.now(), commandLine([...this.#argv, '--during-freeze']));
        },
      });
      this.#redactor.add(settings.secrets.map((secret) => secret.reveal()));
      const { release } = this.#args as { release?: unknown };
      const known = [settings.app, settings.environment, settings.imageTag, release];
      this.#redactor.show(known.filter((value) => typeof value === 'string'));
      const { confirm = [] } = this.#args as { confirm?: readonly string[] };
      refuseUnknownNames(confirm, settings.handlers, this.#argv);
      return settings;
    } catch (error) {
      if (!(error instanceof DeployError) || error.code !== 'unknown-environment') throw error;
      throw explainUnknownEnvironment(error, {
        argv: this.#argv,
        operands,
        commands: isDefault ? Object.keys(this.#commands) : [],
        environments: await listEnvironments(project),
      });
    } finally {
      this.#loading -= 1;
      if (this.#loading === 0) for (const line of this.#held.splice(0)) this.#say(line);
    }
  }

  #project(): { cwd: string; env: ProcessEnv; configPath?: string; set?: readonly string[] } {
    const { config, set } = this.#args;
    return { cwd: this.#machine.cwd, env: this.#machine.env, configPath: config, set };
  }

  /** A project that is found above this folder is named: another one may be meant. */
  #nameProject(): void {
    const { cwd, env } = this.#machine;
    if (this.#hasNamedProject || this.#args.config !== undefined) return;
    this.#hasNamedProject = true;
    const root = findConfig(cwd, env)?.root;
    if (root !== undefined && root !== cwd) this.#reporter.printNote(`Using the project in ${root}`);
  }
}

/** What reads the project's layers and hooks. */
async function ownCode(): Promise<{ readLayers: ReadLayers; findHooks: FindHooks }> {
  const [{ layerReader }, { findHooks }] = await Promise.all([
    import('../layers/read-layers.js'),
    import('../layers/find-hooks.js'),
  ]);
  return { readLayers: layerReader((value) => new Secret(value), systemClock), findHooks };
}
