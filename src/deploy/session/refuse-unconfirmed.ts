import { DeployError } from '../../errors.js';
import { again } from './continue-command.js';
import type { Session } from './session.js';

/**
 * What a layer would ask at a later event, when droplets may run the release already, is required before anything begins
 * where no user can be asked then. Throws DeployError layer-failed, with one command line that confirms everything.
 */
export function refuseUnconfirmed(session: Session): void {
  const { command, options } = session;
  const { handlers = [], lacks, part } = options;
  const names = handlers
    .flatMap(({ layer }) => layer?.confirmations ?? [])
    .filter(({ commands }) => commands.includes(command))
    // A part of the fleet does not get that far.
    .filter(({ on }) => part === undefined || on !== 'post_deploy')
    .map(({ name }) => name);
  const missing = [...new Set(names)].filter((name) => lacks?.(name));
  if (missing.length === 0) return;
  const verb = missing.length === 1 ? 'is' : 'are';
  throw new DeployError('layer-failed', `${missing.join(', ')} ${verb} not confirmed, and no user can be asked.`, {
    source: 'user',
    hint: `Run again with: ${again(session, ...missing.flatMap((name) => ['--confirm', name]))}`,
  });
}
