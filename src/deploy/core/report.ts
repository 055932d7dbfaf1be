import { asDeployError } from '../../errors.js';
import type { DeployEventBody, StagingStep } from '../../rollout/model.js';
import type { DeployPorts } from './deploy-ports.js';
export function reportTo(ports: Pick<DeployPorts, 'clock' | 'reporter'>): (body: DeployEventBody) => void {
  return (body) => ports.reporter.report({ schema: 2, at: new Date(ports.clock.now()).toISOString(), ...body });
}

/** Performs one staging step and tells of it. */
export async function staged<T>(
  ports: DeployPorts,
  droplet: string,
  step: StagingStep,
  task: () => Promise<T>,
): Promise<T> {
  const report = reportTo(ports);
  const started = ports.clock.now();
  report({ type: 'step-started', droplet, step });
  try {
    const value = await task();
    report({
      type: 'step-finished',
      droplet,
      step,
      ms: ports.clock.now() - started,
      ...(typeof value === 'string' && { detail: value }),
    });
    return value;
  } catch (error) {
    const failure = asDeployError(error).at({ droplet, step });
    report({ type: 'step-failed', droplet, step, ms: ports.clock.now() - started, error: failure.info() });
    throw failure;
  }
}
