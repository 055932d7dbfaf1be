import { wholeSeconds } from '../../durations.js';
import { asDeployError } from '../../errors.js';
import type { DeployEventBody, Step } from '../../rollout/model.js';
import type { DeployPorts } from './deploy-ports.js';

export type ReportingPorts = Pick<DeployPorts, 'clock' | 'reporter'>;

/** A function that reports events with the schema's number and the current time. */
export function reportTo({ clock, reporter }: ReportingPorts): (body: DeployEventBody) => void {
  return (body) => reporter.report({ schema: 2, at: new Date(clock.now()).toISOString(), ...body });
}

const STILL_RUNNING_EVERY_MS = 30_000;

/**
 * Runs one step on a droplet and reports its start, every 30 s that it is still running, and its end. A string that the
 * step returns becomes the detail.
 * Throws what the step threw, as a DeployError with the droplet and the step.
 * @param at.release id of the release that a rolling step moves the droplet to
 */
export async function reportStep<T>(
  ports: ReportingPorts,
  { droplet, step, release }: { droplet: string; step: Step; release?: string },
  task: () => Promise<T>,
): Promise<T> {
  const { clock } = ports;
  const report = reportTo(ports);
  const started = clock.now();
  report({ type: 'step-started', droplet, step, release });
  const ended = new AbortController();
  const reportRunning = async () => {
    for (;;) {
      await clock.sleep(STILL_RUNNING_EVERY_MS, ended.signal);
      if (ended.signal.aborted) return;
      report({
        type: 'step-progress',
        droplet,
        step,
        detail: `${wholeSeconds(clock.now() - started)} so far`,
      });
    }
  };
  void reportRunning();
  try {
    const value = await task();
    const detail = typeof value === 'string' ? value : undefined;
    report({ type: 'step-finished', droplet, step, ms: clock.now() - started, detail });
    return value;
  } catch (error) {
    const failure = asDeployError(error).at({ droplet, step });
    report({ type: 'step-failed', droplet, step, ms: clock.now() - started, error: failure.info() });
    throw failure;
  } finally {
    ended.abort();
  }
}

export function inform(ports: ReportingPorts, message: string): void {
  reportTo(ports)({ type: 'notice', level: 'info', message });
}

/** @param droplet name of the droplet that the warning is about */
export function warn(ports: ReportingPorts, message: string, droplet?: string): void {
  reportTo(ports)({ type: 'notice', level: 'warning', message, droplet });
}
