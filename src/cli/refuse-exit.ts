/** Keeps layers from ending the process: a rollout must come to its end, with its result and its next command. */
import { DeployError } from '../errors.js';

/** While the task runs, process.exit throws in whoever calls it, so that the error has the layer's name and its event. */
export async function withoutExit<T>(process: Pick<NodeJS.Process, 'exit'>, task: () => Promise<T>): Promise<T> {
  const { exit } = process;
  process.exit = (code) => {
    throw new DeployError('layer-failed', `it called process.exit(${code ?? ''}), which is refused during a run.`, {
      hint: 'Let the layer throw an error, or return.',
    });
  };
  try {
    return await task();
  } finally {
    process.exit = exit;
  }
}
