/** Raises an event: runs its handlers one after another, each bounded by its timeout. */

import { inWords } from '../../durations.js';
import { DeployError, isDeployError, reasonOf } from '../../errors.js';
import type { Clock } from '../../ports.js';
import type { Handler, HandlerContext, LifecyclePayload } from '../../rollout/lifecycle.js';
import { onlyWarns } from '../../rollout/lifecycle.js';
import { onAbort } from './on-abort.js';
import { type ReportingPorts, reportTo, warn } from './report.js';
import { capital } from './sentences.js';

/** How long a message of a failed handler may be. */
const MAX_REASON = 2_000;

/** Lines that one handler may print: a migration may print one for each row. */
const MAX_LINES = 10_000;

/** What it may take to see the end of a handler that was killed, in ms. */
const KILL_MS = 2_000;

export interface HandlerVerbs extends Pick<HandlerContext, 'run' | 'process' | 'confirm'> {
  /** What goes on although its handler has ended, as a sentence, and how to stop it. */
  leftRunning?(): { message: string; hint: string } | undefined;
}

export interface EndingHandler extends Handler {
  /**
   * How long it may take to end after its signal, before it is killed; what it prints until then is shown. By default nobody
   * waits for that.
   */
  readonly endMs?: number;
}

/**
 * Throws DeployError when a handler throws, does not end in time, or is stopped by `stop`; handlers after it do not run.
 * do-deploy's own errors, such as lease-lost, keep their code; after `stop` it is interrupted, of everything else layer-failed. In endings and
 * `after_rejoin`, or when the handler may fail, it warns instead and continues.
 */
export async function raiseEvent(
  ports: ReportingPorts,
  handlers: readonly EndingHandler[],
  payload: LifecyclePayload,
  verbs: HandlerVerbs,
  stop: AbortSignal,
): Promise<void> {
  const own = handlers.filter(({ event }) => event === payload.event);
  for (const handler of own.toSorted((a, b) => a.priority - b.priority)) {
    // The run has ended meanwhile, or is about to: nothing else may begin.
    if (stop.aborted && onlyWarns(payload.event)) return;
    if (stop.aborted) throw new DeployError('interrupted', 'Interrupted.', { source: 'user' });
    const error = await failureOf(ports, handler, payload, verbs, stop);
    if (error === undefined) continue;
    if (!onlyWarns(payload.event) && handler.mayFail !== true) throw error;
    warn(ports, error.message, payload.droplet);
  }
}

async function failureOf(
  ports: ReportingPorts,
  handler: EndingHandler,
  payload: LifecyclePayload,
  verbs: HandlerVerbs,
  stop: AbortSignal,
): Promise<DeployError | undefined> {
  const { clock } = ports;
  const { name } = handler;
  const { event, droplet } = payload;
  const report = reportTo(ports);
  const startedAt = clock.now();
  const about = { name, event, droplet };
  report({ type: 'layer-started', ...about });
  let ended = false;
  let lines = 0;
  const log = (line: string) => {
    lines += 1;
    if (ended || lines > MAX_LINES + 1) return;
    const isShown = lines <= MAX_LINES;
    report({ type: 'layer-output', ...about, line: isShown ? line : `only the first ${MAX_LINES} lines are shown` });
  };
  try {
    const shown = handler.present?.(payload) ?? payload;
    await bounded(ports, handler, stop, (signal) => {
      const sleep: HandlerContext['sleep'] = (ms, until) =>
        clock.sleep(ms, until === undefined ? signal : AbortSignal.any([signal, until]));
      const { run, process, confirm } = verbs;
      return handler.handle(shown, { run, process, confirm, signal, startedAt, sleep, log });
    });
    return undefined;
  } catch (error) {
    const left = verbs.leftRunning?.();
    const reason = [sentence(reasonOf(error)), left?.message].filter((text) => text !== undefined).join(' ');
    const message = `${capital(name)} failed at ${event}: ${reason}`;
    if (stop.aborted) {
      // The end of an interrupted run has no error that could say so.
      if (left !== undefined) warn(ports, `${left.message} ${left.hint}`, droplet);
      return new DeployError('interrupted', message, { source: 'user', droplet, hint: left?.hint });
    }
    if (!isDeployError(error)) {
      return new DeployError('layer-failed', message, { droplet, hint: left?.hint, cause: error });
    }
    const { code, source } = error;
    const hint = left?.hint ?? error.hint;
    return new DeployError(code, message, { source, hint, droplet: error.droplet ?? droplet, cause: error });
  } finally {
    ended = true;
    report({ type: 'layer-finished', ...about, ms: clock.now() - startedAt });
  }
}

/** With a full stop, or cut: then the end says so, and a secret in it can still be recognised as cut. */
function sentence(text: string): string {
  return text.length > MAX_REASON ? `${text.slice(0, MAX_REASON)}…` : `${text.replace(/\.$/, '')}.`;
}

/** Rejects when the time is over or `stop` aborts, whatever the task does; of one that needs time to end, after its end. */
async function bounded(
  { clock }: ReportingPorts,
  { timeoutMs, endMs = 0 }: EndingHandler,
  stop: AbortSignal,
  task: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const limit = new AbortController();
  const done = new AbortController();
  const end = new Promise<never>((_, reject) => {
    const giveUp = (reason: string) => {
      const error = new Error(reason);
      limit.abort(error);
      reject(error);
    };
    onAbort(stop, () => giveUp('it was stopped'), done.signal);
    void clock.sleep(timeoutMs, done.signal).then(() => {
      if (!done.signal.aborted) giveUp(`it did not finish within ${inWords(timeoutMs)}`);
    });
  });
  end.catch(() => {});
  // A handler may also throw before it returns its promise.
  const running = (async () => await task(limit.signal))();
  try {
    await Promise.race([running, end]);
  } catch (error) {
    if (limit.signal.aborted && endMs > 0) await endOf(clock, running, endMs + KILL_MS);
    throw error;
  } finally {
    done.abort();
  }
}

/** Resolves at the end of the task, whatever it is, or after `ms`. */
async function endOf(clock: Clock, task: Promise<void>, ms: number): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  task.then(end, end);
  await clock.sleep(ms, ended.signal);
}
