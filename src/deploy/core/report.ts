import { asDeployError } from '../../errors.js';
import type { DeployEventBody, Step, Task } from '../../rollout/model.js';
import type { DeployPorts } from './deploy-ports.js';

export type ReportingPorts = Pick<DeployPorts, 'clock' | 'reporter'>;

/** A function that reports events with the schema's number and the current time. */
export function reportTo({ clock, reporter }: ReportingPorts): (body: DeployEventBody) => void {
  return (body) => reporter.report({ schema: 2, at: new Date(clock.now()).toISOString(), ...body });
}

/**
 * Runs one step on a droplet and reports its start and its end. A string that the step returns becomes the detail.
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
  try {
    const value = await task();
    const detail = typeof value === 'string' ? value : undefined;
    report({ type: 'step-finished', droplet, step, ms: clock.now() - started, detail });
    return value;
  } catch (error) {
    const failure = asDeployError(error).at({ droplet, step });
    report({ type: 'step-failed', droplet, step, ms: clock.now() - started, error: failure.info() });
    throw failure;
  }
}

/** Reports the start and the end of what takes its time outside of steps. */
export async function reportTask<T>(ports: ReportingPorts, task: Task, work: () => Promise<T>): Promise<T> {
  const { clock } = ports;
  const report = reportTo(ports);
  const started = clock.now();
  report({ type: 'task-started', task });
  try {
    return await work();
  } finally {
    report({ type: 'task-finished', task, ms: clock.now() - started });
  }
}

export function inform(ports: ReportingPorts, message: string): void {
  reportTo(ports)({ type: 'notice', level: 'info', message });
}

/** @param droplet name of the droplet that the warning is about */
export function warn(ports: ReportingPorts, message: string, droplet?: string): void {
  reportTo(ports)({ type: 'notice', level: 'warning', message, droplet });
}
