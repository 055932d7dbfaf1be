/** Rolling to a release that the droplets hold already: no files, no registry. Heal and rollback differ only in which. */

import type { DeployResult } from '../../rollout/model.js';
import type { Policy } from '../../rollout/planner.js';
import { reportTo } from '../core/report.js';
import { type Member, runsAlready } from '../droplet/member.js';
import { surveyAll } from '../droplet/survey.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { observeFleet } from '../session/observe-fleet.js';
import { takeLease } from '../session/open-session.js';
import { rollTo } from '../session/roll.js';
import type { Session } from '../session/session.js';
import { previousReleases, startRollout } from '../session/start-rollout.js';
/** @param choose which of the droplets' releases, all images there; throws DeployError when there is none */
export async function rollToExisting(
  session: Session,
  fleet: Fleet,
  policy: Policy,
  choose: (members: readonly Member[]) => Promise<StoredRelease>,
): Promise<DeployResult> {
  const { ports, members } = session;
  const run = await takeLease(session, fleet);
  await surveyAll(ports, session.options.settings, members, { prepare: false });
  const record = await choose(members);
  session.release = infoOf(record);
  const message = `${session.command === 'heal' ? 'Healing' : 'Rolling back'} to release ${record.id}.`;
  reportTo(ports)({ type: 'notice', level: 'info', message });
  const seen = await observeFleet(run, members);
  const upToDate = new Set(members.filter((member) => runsAlready(member, record)).map((member) => member.droplet.id));
  const previous = previousReleases(members, record);
  return await rollTo(session, run, startRollout(seen, policy, upToDate, previous), record, previous);
}
