/** The gates have passed: the droplet confirms its release, and leaves the ledger. */

import type { StepContext } from '../context.js';
import { clearMarkCommand, confirmCommand } from '../remote/release-commands.js';
import type { Site } from '../site.js';

export async function clearOut(site: Site, run: StepContext): Promise<undefined> {
  const { app } = run.settings;
  if (run.release === undefined) await site.connection.run(clearMarkCommand(app));
  else {
    const previous = site.survey.current;
    const state = {
      release: run.release.id,
      phase: 'verified' as const,
      ...(previous !== undefined && previous !== run.release.id && { previous }),
      run: run.id,
      since: new Date(run.ports.clock.now()).toISOString(),
    };
    await site.connection.run(confirmCommand(app, state));
    site.survey = { ...site.survey, current: run.release.id, state };
  }
  if (run.target.healthCheck !== undefined) await run.ledger.clear(site.droplet.id);
}
