/** The gates have passed: the droplet confirms its release, and leaves the ledger. */

import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { changeSite } from '../change-site.js';
import { loginTo } from '../check-site.js';
import type { StepContext } from '../context.js';
import { clearMarkCommand, confirmCommand } from '../remote/release-commands.js';
import { nextState, type Site } from '../site.js';

export async function clearOut(site: Site, run: StepContext): Promise<undefined> {
  const { app } = run.settings;
  if (run.release === undefined) await must(site, clearMarkCommand(app, run.id));
  else {
    const written = { run: run.id, since: new Date(run.ports.clock.now()).toISOString() };
    const state = nextState(site, run.release.id, 'verified', written);
    await must(site, confirmCommand(app, state));
    site.survey = { ...site.survey, current: run.release.id, state };
  }
  if (run.target.healthCheck !== undefined) {
    await run.ledger.clear(site.droplet.id, () => run.lease.ensure(site.droplet.id));
  }
}

/** A droplet whose release could not be confirmed stays in the ledger: its files would tell the next run something else. */
async function must(site: Site, command: RemoteCommand): Promise<void> {
  const { code, stderr } = await changeSite(site, command);
  if (code === 0) return;
  const reason = stderr.trim().split('\n').at(-1) || `exit code ${code}`;
  throw new DeployError('confirm-failed', `What ${site.host.name} runs could not be written down there: ${reason}`, {
    droplet: site.host.name,
    hint: `Is its disk full? ${loginTo(site)} df -h`,
  });
}
