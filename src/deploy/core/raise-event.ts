/** Raises an event: runs its handlers one after another, each bounded by its timeout. */

import { inWords } from '../../durations.js';
import { DeployError, isDeployError, reasonOf } from '../../errors.js';
import type { Handler, HandlerContext, LifecyclePayload } from '../../rollout/lifecycle.js';
import { onlyWarns } from '../../rollout/lifecycle.js';
import { onAbort } from './on-abort.js';
import { type ReportingPorts, reportTo, warn } from './report.js';
import { capital } from './sentences.js';

/** How long a message of a failed handler may be. */
const MAX_REASON = 2_000;

export interface HandlerVerbs extends Pick<HandlerContext, 'run' | 'process' | 'confirm'> {
  /** What goes on although its handler has ended, as a sentence, and how to stop it. */
  leftRunning?(): { message: string; hint: string } | undefined;
}

/**
 * Throws DeployError when a handler throws, does not end in time, or is stopped by `stop`; handlers after it do not run.
 * do-deploy's own errors, such as lease-lost, keep their code; after `stop` it is interrupted, of everything else layer-failed. In endings and
 * `after_rejoin`, or when the handler may fail, it warns instead and continues.
 */
export async function raiseEvent(
  ports: ReportingPorts,
  handlers: readonly Handler[],
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
  handler: Handler,
  payload: LifecyclePayload,
  verbs: HandlerVerbs,
  stop: AbortSignal,
): Promise<DeployError | undefined> {
  const { clock } = ports;
  const { name, timeoutMs } = handler;
  const { event, droplet } = payload;
  const report = reportTo(ports);
  const startedAt = clock.now();
  const about = { name, event, droplet };
  report({ type: 'layer-started', ...about });
  let ended = false;
  const log = (line: string) => {
    if (!ended) report({ type: 'layer-output', ...about, line });
  };
  try {
    const shown = handler.present?.(payload) ?? payload;
    await bounded(ports, timeoutMs, stop, (signal) => {
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
    if (stop.aborted) return new DeployError('interrupted', message, { source: 'user', droplet, hint: left?.hint });
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

/** Rejects when the time is over or `stop` aborts, whatever the task does. */
async function bounded(
  { clock }: ReportingPorts,
  timeoutMs: number,
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
  try {
    // A handler may also throw before it returns its promise.
    await Promise.race([(async () => await task(limit.signal))(), end]);
  } finally {
    done.abort();
  }
}
