/**
 * `do-deploy heal`: repairs the fleet after a crash. Brings every droplet that can be reached into rotation, all on one
 * release that they hold already. Needs no files and no registry: the ledger and the droplets' state.json say enough.
 */

import { DeployError } from '../../errors.js';
import { chooseRelease } from '../../rollout/choose-release.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inform } from '../core/report.js';
import { refuseGoneImages } from '../droplet/gone-images.js';
import { findRelease, releaseOfFleet, whereMissing } from '../droplet/held-releases.js';
import { holdingOf, type Member, runsAlready } from '../droplet/member.js';
import { surveyAll } from '../droplet/survey.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { performRollout } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../session/session.js';

/** Never throws: every end is a result. */
export async function heal(ports: DeployPorts, options: SessionOptions): Promise<DeployResult> {
  const { settings } = options;
  return await runSession('heal', ports, options, NO_RELEASE_YET, (session) =>
    performRollout(session, {
      // Repairs as much as it can, also where the settings say to stop.
      policy: { onFailure: 'revert-droplet' },
      reach: 'reachable',
      async choose(_, members) {
        await surveyAll(ports, settings, members, { prepare: false });
        const release = await releaseToHealTo(members, settings.environment);
        session.release = infoOf(release);
        inform(ports, `Healing to release ${release.id}.`);
        return { release };
      },
      isUpToDate: runsAlready,
    }),
  );
}

async function releaseToHealTo(members: readonly Member[], environment: string): Promise<StoredRelease> {
  const release = findRelease(members, chooseRelease(members.map(holdingOf)));
  if (release !== undefined) {
    await refuseGoneImages(
      members,
      release,
      () => `Run do-deploy adopt ${environment}: it pulls the same image again.`,
    );
    return release;
  }
  const proven = releaseOfFleet(members);
  throw new DeployError(
    'nothing-to-heal-to',
    `There is no release that every droplet holds${whereMissing(members, proven)}.`,
    {
      hint: proven
        ? `Run do-deploy adopt ${environment}: it brings that release to them, and puts droplets that are out back.`
        : 'Deploy a release: it is brought to every droplet, first to those that are out.',
    },
  );
}
