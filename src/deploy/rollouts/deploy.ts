/**
 * One deploy from beginning to end: look, connect, lease, stage, roll, finish. Everything up to rolling can fail without
 * having changed what serves; from there on the planner brings every droplet to a safe end.
 */

import { batchSize } from '../../rollout/batches.js';
import type { CommitInfo, DeployResult, ReleaseInfo } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { reportTo } from '../core/report.js';
import { surveyAll } from '../droplet/survey.js';
import { findFleet } from '../fleet/find-fleet.js';
import { policyOf, refuseImpossible } from '../fleet/policy.js';
import { contentHash, type ReleaseDraft, readFiles, releaseId } from '../release/draft.js';
import { observeFleet } from '../session/observe-fleet.js';
import { announce, reachAll, takeLease } from '../session/open-session.js';
import { rollTo } from '../session/roll.js';
import { inSession, type SessionOptions } from '../session/session.js';
import { previousReleases, startRollout } from '../session/start-rollout.js';
import { checkDroplet } from '../staging/check-droplet.js';
import { stageAll } from '../staging/stage-release.js';
export interface DeployOptions extends SessionOptions {
  /** IMAGE_TAG. */
  imageTag: string;
  /** What the release's id ends with; default: the tag. */
  releaseRef?: string;
  /** The commit of the files, where they are in git. */
  commit?: CommitInfo;
  /** Deploy also where the same bytes already run. */
  force: boolean;
}

/** Droplets that are listened to, to compare those that go first with. */
const OTHERS = 2;

/** Never throws: every end is a result. */
export async function deploy(ports: DeployPorts, options: DeployOptions): Promise<DeployResult> {
  const id = releaseId(ports.clock.now(), options.releaseRef ?? options.imageTag);
  const release = { id, imageTag: options.imageTag, ...options.commit };
  return await inSession('deploy', ports, options, release, async (session) => {
    const { settings } = options;
    const report = reportTo(ports);
    const draft = await draftRelease(ports, options, session.release);

    report({ type: 'phase-started', phase: 'discover' });
    const fleet = await findFleet(ports, settings);
    const policy = policyOf(settings, fleet.target, options.allowDowntime);
    refuseImpossible(fleet, policy);
    announce(session, fleet);

    await reachAll(session, fleet);
    const { members } = session;
    const run = await takeLease(session, fleet);
    report({ type: 'phase-started', phase: 'stage' });
    // Meanwhile those that go first are listened to, and some others to compare them with.
    const size = policy.balanced ? batchSize(policy.batch, 0, members.length) : 0;
    const first = () => members.slice(0, size);
    const others = () => (policy.balanced ? members.slice(size, size + OTHERS) : []);
    const { record, upToDate } = await run.contacts.listenDuring(first, others, async () => {
      await surveyAll(ports, settings, members, { prepare: true, each: checkDroplet });
      return await stageAll(ports, settings, draft, members);
    });
    // The bytes may have come here before, and from another commit.
    session.release = { ...session.release, id: record.id };
    if (record.id !== id) {
      const message = `The droplets hold these files and images already, as release ${record.id}: that is the one.`;
      report({ type: 'notice', level: 'info', message });
    }

    const seen = await observeFleet(run, members);
    const previous = previousReleases(members, record);
    const start = startRollout(seen, policy, options.force ? new Set() : upToDate, previous);
    return await rollTo(session, run, start, record, previous);
  });
}

async function draftRelease(ports: DeployPorts, options: DeployOptions, info: ReleaseInfo): Promise<ReleaseDraft> {
  const { settings, deployer } = options;
  const known = {
    app: settings.app,
    environment: settings.environment,
    imageTag: options.imageTag,
    composeFiles: settings.composeFiles,
    envFiles: settings.envFiles,
    prepare: settings.prepare,
    files: await readFiles(settings.files, ports.files),
  };
  const createdAt = new Date(ports.clock.now()).toISOString();
  const origin = { createdAt, createdBy: deployer.who, ...options.commit };
  return { ...known, ...origin, id: info.id, content: contentHash(known) };
}
