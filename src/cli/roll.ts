import { localCommands } from '../adapters/command-line.js';
import { systemClock } from '../adapters/system-clock.js';
import type { Settings } from '../config/settings.js';
import type { ProcessEnv } from '../config/variables.js';
import type { DeployPorts } from '../deploy/core/deploy-ports.js';
import type { EndingHandler } from '../deploy/core/raise-event.js';
import { inform, reportTo } from '../deploy/core/report.js';
import type { SessionOptions } from '../deploy/session/session.js';
import { inWords } from '../durations.js';
import { DeployError } from '../errors.js';
import { hookHandlers, withoutSecrets as safeEnvironment } from '../layers/hooks.js';
import { mapText } from '../reporters/redacting.js';
import type { Handler, LifecycleEvent, OneOffResult, Speaker } from '../rollout/lifecycle.js';
import type { DeployResult } from '../rollout/model.js';
import type { CommandEnd } from './define-command.js';
import { exitCodeOfResult } from './exit-codes.js';
import type { Signals } from './signals.js';
import { commandLine } from './usage-errors.js';
import { watchedBy } from './watched-by.js';
import { whoDeploys } from './who.js';

/** Options of commands that roll. */
export interface RollArguments {
  allowDowntime: boolean;
  waitLock: number;
  skipUnreachable?: boolean;
  skippedOk?: boolean;
  skipFirstCheck?: boolean;
  skipMigrate?: boolean;
  config?: string;
  /** The names given with --confirm. */
  confirm?: readonly string[];
  /** Nothing is asked. */
  yes?: boolean;
}

/** The environment of this process, which those that it starts inherit. */
type ChildEnv = Record<string, string | undefined>;

/** What a rollout takes from the process that it runs in. */
export interface RollContext extends Pick<Signals, 'interrupted' | 'aborted'> {
  env: ChildEnv;
  /** Without node and the script. */
  argv: readonly string[];
  /** Masks and cleans a text. */
  redact(text: string): string;
  /** Absent where no user can be asked. */
  ask: ((question: string, signal: AbortSignal) => Promise<boolean>) | undefined;
}

/** Runs what changes a fleet, with signals that bring it to a safe end. Its events and its result are the output. */
export async function roll(
  ports: DeployPorts,
  settings: Settings,
  args: RollArguments,
  { interrupted, aborted, env, argv, redact, ask }: RollContext,
  rollout: (ports: DeployPorts, options: SessionOptions) => Promise<DeployResult>,
): Promise<CommandEnd> {
  let isEnding = false;
  const running = new Set<Running>();
  interrupted.addEventListener('abort', () => {
    const under = underWay([...running], settings.rollout.interruptGraceMs);
    reportTo({ clock: systemClock, reporter: ports.reporter })({
      type: 'deploy-interrupted',
      signal: interrupted.reason instanceof Error ? interrupted.reason.message : String(interrupted.reason),
      detail: `${isEnding ? 'The run has ended, and its last handlers finish.' : under} A second signal, 1 s later or more, stops immediately.`,
    });
  });
  refuseNested(settings, env);
  const isSecret = (value: string) => redact(value) !== value;
  const handlers = [...settings.handlers, ...hookHandlers(settings, env, isSecret, systemClock)]
    .map((handler) => (args.skipMigrate && handler.name === 'layer migrate' ? leftOut(handler) : handler))
    .map(withoutSecrets(redact))
    .map(
      announcedIn(env, settings, (one) => {
        isEnding ||= one.event.startsWith('deploy_');
        running.add(one);
        return () => running.delete(one);
      }),
    );
  if (args.skipMigrate) {
    const skipped = settings.handlers.some(({ name }) => name === 'layer migrate');
    inform(
      { clock: systemClock, reporter: ports.reporter },
      skipped
        ? 'migrate is left out. To run it for this release later, deploy it again with --force.'
        : 'There is no layer migrate to leave out.',
    );
  }
  const { confirm = [] } = args;
  const watched = {
    ...ports,
    reporter: watchedBy(handlers, ports.reporter, redact),
    commands: localCommands(settings.root, safeEnvironment(env, isSecret)),
  };
  const { DO_DEPLOY_EVENT, DO_DEPLOY_APP, DO_DEPLOY_ENVIRONMENT } = env;
  const result = await rollout(watched, {
    settings,
    allowDowntime: args.allowDowntime,
    waitLockMs: args.waitLock,
    skip: args.skipUnreachable ? (args.skippedOk ? 'ok' : 'fail') : undefined,
    skipFirstCheck: args.skipFirstCheck,
    again: (...options) => commandLine([...argv, ...options]),
    deployer: whoDeploys(env),
    interrupted,
    aborted,
    handlers,
    lacks: (name) => ask === undefined && !confirm.includes(name),
    confirm: async (name, question, signal) => confirm.includes(name) || (await ask?.(question, signal)),
  });
  for (const [name, value] of Object.entries({ DO_DEPLOY_EVENT, DO_DEPLOY_APP, DO_DEPLOY_ENVIRONMENT })) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return { exit: exitCodeOfResult(result) };
}

/** Its events are raised, and so recorded as done. */
function leftOut(handler: Handler): Handler {
  return { ...handler, handle: async () => {} };
}

/** A handler while it runs. */
type Running = Pick<EndingHandler, 'name' | 'event' | 'endMs'>;

/** At these events an interruption ends handlers at once; at the others they have the grace period. */
const ENDED_AT_ONCE: readonly LifecycleEvent[] = ['configure', 'pre_deploy'];

/** At these events nothing goes on besides the handler. */
const ALONE: readonly LifecycleEvent[] = [...ENDED_AT_ONCE, 'deploy', 'post_deploy'];

/** What the user waits for after a signal, as a sentence. */
function underWay(running: readonly Running[], graceMs: number): string {
  const handler = running.find(({ event }) => ALONE.includes(event));
  if (handler === undefined) return `Finishing what is under way, within ${inWords(graceMs)}.`;
  const { name, event, endMs } = handler;
  if (!ENDED_AT_ONCE.includes(event)) return `Waiting for ${name}, at most ${inWords(graceMs)}.`;
  return endMs === undefined ? `Ending ${name}.` : `Ending ${name}, within ${inWords(endMs)}.`;
}

/** What a layer starts inherits the environment of this process, and knows by it which rollout it is part of. */
function announcedIn(
  env: ChildEnv,
  { app, environment }: Settings,
  begins: (handler: Running) => () => void,
): (handler: Handler) => Handler {
  return (handler) => ({
    ...handler,
    handle: async (payload, context) => {
      const ends = begins(handler);
      env.DO_DEPLOY_EVENT = payload.event;
      env.DO_DEPLOY_APP = app;
      env.DO_DEPLOY_ENVIRONMENT = environment;
      try {
        await handler.handle(payload, context);
      } finally {
        ends();
      }
    },
  });
}

/** A hook that deploys to the environment that is being deployed to would wait for itself. In an ending it may. */
function refuseNested({ app, environment }: Settings, env: ProcessEnv): void {
  const event = env.DO_DEPLOY_EVENT;
  if (event === undefined || event.startsWith('deploy_')) return;
  if (env.DO_DEPLOY_APP !== app || env.DO_DEPLOY_ENVIRONMENT !== environment) return;
  const message = `A hook or layer of ${environment} at ${event} cannot deploy to ${environment}: that deploy is still running.`;
  throw new DeployError('nested-deploy', message, {
    source: 'user',
    hint: 'Do it at deploy_succeeded, deploy_skipped or deploy_failed: the lock is free then.',
  });
}

/** What leaves this program by a layer or a hook is masked as the output is. */
export function withoutSecrets(redact: (text: string) => string): (handler: Handler) => Handler {
  return (handler) => ({
    ...handler,
    present: (payload) => mapText(handler.present?.(payload) ?? payload, redact),
    handle: (payload, context) =>
      handler.handle(payload, {
        ...context,
        run: async (service, words, options = {}) => {
          const { onLine } = options;
          const masked = onLine && { onLine: (line: string, speaker: Speaker) => onLine(redact(line), speaker) };
          return maskedWhenRead(await context.run(service, words, { ...options, ...masked }), redact);
        },
      }),
  });
}

/** Its output may be long, and most layers never read it. */
function maskedWhenRead(result: OneOffResult, redact: (text: string) => string): OneOffResult {
  let output: string | undefined;
  return {
    ...result,
    get output() {
      output ??= redact(result.output);
      return output;
    },
  };
}
