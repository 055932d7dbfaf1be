import { readHistory } from '../deploy/inspect/read-history.js';
import type { HistoryInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { createOutput } from './output.js';
import { settingsFor } from './settings-for.js';
import { wire } from './wire.js';

/** `do-deploy history ENVIRONMENT`. Gives the exit code. */
export async function historyCommand(invocation: HistoryInvocation, context: CliContext): Promise<number> {
  const { stderr } = context;
  const settings = await settingsFor(invocation, context, 'fleet');
  const reporter = createOutput(context, invocation, settings.secrets);
  const { entries, unreachable } = await readHistory(wire(settings, reporter, invocation), settings);
  reporter.printHistory(entries);
  await reporter.close();
  for (const droplet of unreachable) stderr.write(`${droplet} could not be asked.\n`);
  return unreachable.length > 0 ? EXIT.failed : EXIT.ok;
}
