/** Keeps layers from ending the process: a run must come to its end, with its result and its next command. */
import { syncBuiltinESMExports } from 'node:module';
import { DeployError } from '../errors.js';

/** While the task runs, process.exit throws in whoever calls it, so that the error has the layer's name and its event. */
export async function withoutExit<T>(process: Pick<NodeJS.Process, 'exit'>, task: () => Promise<T>): Promise<T> {
  const { exit } = process;
  const set = (to: NodeJS.Process['exit']) => {
    process.exit = to;
    // For `import { exit } from 'node:process'`.
    syncBuiltinESMExports();
  };
  set((code) => {
    throw new DeployError('layer-failed', `it called process.exit(${code ?? ''}), which is refused during a run.`, {
      hint: 'Let the layer throw an error, or return.',
    });
  });
  try {
    return await task();
  } finally {
    set(exit);
  }
}
