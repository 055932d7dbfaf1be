/**
 * `do-deploy ENVIRONMENT`: rolls the fleet to a release made of the project's files. It is staged on every droplet first,
 * which can fail without having changed what serves.
 */

import { batchSize } from '../../rollout/batches.js';
import type { CommitInfo, DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inform, reportTo } from '../core/report.js';
import { refuseUnusableHome } from '../droplet/home-check.js';
import { heldRelease, type Member, needsNothing, stoppedOn } from '../droplet/member.js';
import { surveyAll } from '../droplet/survey.js';
import { refuseImpossible } from '../fleet/policy.js';
import { settingsOfRoles } from '../fleet/role-settings.js';
import { draftRelease, refuseChanged, releaseId } from '../release/draft.js';
import { refuseOtherCanary } from '../session/canary.js';
import { eachShare, performRollout, type Share } from '../session/rollout.js';
import { runSession, type SessionOptions } from '../session/session.js';
import { checkDroplet, warnAboutOldDocker } from '../staging/check-droplet.js';
import { logInTo } from '../staging/registry-login.js';
import { stageDrafts } from '../staging/stage-release.js';

export interface DeployOptions extends SessionOptions {
  /** IMAGE_TAG. */
  imageTag: string;
  /** The end of the release's id; default: the tag. */
  releaseRef?: string;
  /** The commit of the files, when they are in git. */
  commit?: CommitInfo;
  /** Deploys also where the same bytes run already. */
  force: boolean;
}

/** Droplets beyond the first batch whose traffic is watched for comparison with it. */
const COMPARED_DROPLETS = 2;

/** Never throws: every end is a result. */
export async function deploy(given: DeployPorts, options: DeployOptions): Promise<DeployResult> {
  const { settings, imageTag, deployer, force, interrupted } = options;
  const now = given.clock.now();
  const release = { id: releaseId(now, options.releaseRef ?? imageTag), imageTag, ...options.commit };
  return await runSession('deploy', given, options, release, async (session, ports) => {
    const origin = { createdAt: new Date(now).toISOString(), createdBy: deployer.who };
    const own = settingsOfRoles(settings);
    const drafts = await eachShare(own, (one) => draftRelease(release, origin, one, ports.files));
    return await performRollout(session, {
      refuse: refuseImpossible,
      reach: 'all',
      anchors: true,
      publishes: true,
      async choose(shares) {
        // Also a file that droplets have already, and that would not be read again.
        if (options.handlers?.some(({ event }) => event === 'pre_deploy')) {
          for (const [index, draft] of drafts.entries()) {
            await refuseChanged(draft, (own[index] ?? settings).files, ports.files);
          }
        }
        reportTo(ports)({ type: 'phase-started', phase: 'stage' });
        const members = shares.flatMap((share) => share.members);
        const staged = await listening(shares, async () => {
          const check = (member: Member) => {
            refuseUnusableHome(member, settings);
            return checkDroplet(member);
          };
          await surveyAll(ports, settings, members, { prepare: true, check });
          warnAboutOldDocker(ports, members);
          for (const { run } of shares) refuseOtherCanary(session, run, imageTag);
          // Another deploy has begun in the same second, with the same tag: what it has done for the release is done.
          if (members.some((member) => heldRelease(member, release.id) !== undefined)) session.made = '';
          const login = await logInTo(ports, settings);
          return await stageDrafts(
            drafts.map((draft, index) => ({
              staging: { ports, settings: own[index] ?? settings, draft, login, signal: interrupted },
              members: shares[index]?.members ?? [],
            })),
          );
        });
        // The droplets may hold the same bytes under another id, from another commit.
        const id = staged[0]?.id ?? release.id;
        session.release = { ...release, id };
        if (id !== release.id) {
          inform(ports, `The droplets already hold these files and images as release ${id}, which is used.`);
        }
        return staged.map((one) => ({ release: one }));
      },
      stopping: 'start-all',
      isUpToDate: (member, staged) => !force && needsNothing(member, staged) && stoppedOn(member, staged.id).size === 0,
    });
  });
}

/** Watches the traffic while staging, so that the traffic of each first batch is known when it leaves. */
async function listening<T>([share, ...others]: readonly Share[], task: () => Promise<T>): Promise<T> {
  if (share === undefined) return await task();
  const { run, members, policy } = share;
  const size = policy.balanced ? batchSize(policy.batch, 0, members.length) : 0;
  const first = () => members.slice(0, size);
  const compared = () => (policy.balanced ? members.slice(size, size + COMPARED_DROPLETS) : []);
  return await run.contacts.listenDuring(first, compared, () => listening(others, task));
}
