/**
 * `do-deploy restart`: starts the containers of each droplet anew, batch by batch, through the steps and gates of a deploy. Every
 * droplet keeps the release that it runs, and a restart that fails goes to no other one.
 */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { refuseGoneImages } from '../droplet/gone-images.js';
import { namesOf, releaseOfMost } from '../droplet/held-releases.js';
import { currentRelease, isHalfDone, type Member, runsSomething } from '../droplet/member.js';
import { surveyAll } from '../droplet/survey.js';
import { refuseImpossible } from '../fleet/policy.js';
import { unknownService } from '../operate/services.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { observeFleet } from '../session/observe-fleet.js';
import { type Choice, eachShare, performRollout, type Share } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type Session, type SessionOptions } from '../session/session.js';
import { placedIn } from './bring-to-release.js';

export interface RestartOptions extends SessionOptions {
  /** Only the containers of this service. */
  service?: string | undefined;
}

/** Never throws: every end is a result. */
export async function restart(given: DeployPorts, options: RestartOptions): Promise<DeployResult> {
  const { settings, service } = options;
  const words = service === undefined ? [] : [service];
  return await runSession('restart', given, { ...options, words }, NO_RELEASE_YET, async (session, ports) => {
    const result = await performRollout(session, {
      // There is no other release to go to, and none whose effects have to be watched.
      policy: { onFailure: 'stop', pauseMs: 0, bakeMs: 0 },
      refuse: refuseImpossible,
      reach: 'all',
      service,
      async choose(shares) {
        await surveyAll(ports, settings, session.members, { prepare: false });
        const own = new Map(session.members.map((member) => [member, mustRun(member, settings)] as const));
        if (service !== undefined) refuseUnknown([...own.values()], service);
        const choices = await eachShare(shares, (share) => chooseOwn(share, own, service));
        session.release = infoOf((choices[0] as Choice).release);
        return choices;
      },
      isUpToDate: () => false,
    });
    return withStranded(session, result);
  });
}

/** Throws DeployError not-whole or image-gone before anything changes. */
async function chooseOwn(
  { run, members }: Share,
  releases: ReadonlyMap<Member, StoredRelease>,
  service: string | undefined,
): Promise<Choice> {
  const { settings } = run;
  const placed = placedIn(members, await observeFleet(run, members));
  const misplaced = members.filter((member) => !placed.includes(member));
  if (misplaced.length > 0) throw notWhole(misplaced, 'out of rotation, or recorded so', settings);
  const own = new Map<number, StoredRelease>();
  const exempt = new Set<number>();
  for (const member of members) {
    const release = releases.get(member);
    if (release === undefined) continue;
    own.set(member.droplet.id, release);
    // The profiles of a role may turn it off.
    if (service !== undefined && !release.services.some(({ name }) => name === service)) exempt.add(member.droplet.id);
    else
      await refuseGoneImages([member], release, () => `Run ${doDeploy(settings, 'adopt')}: it pulls the same image.`);
  }
  const release = releaseOfMost(members) ?? [...own.values()][0];
  if (release === undefined) throw new Error('a share has members, and each runs a release');
  return { release, own, exempt };
}

/** Throws DeployError not-whole or no-release. */
function mustRun(member: Member, of: Environment): StoredRelease {
  const release = currentRelease(member);
  if (isHalfDone(member)) throw notWhole([member], 'half-changed', of);
  if (release === undefined) {
    throw new DeployError('no-release', `${member.host.name} runs no release.`, {
      source: 'user',
      droplet: member.host.name,
      hint: `Bring it to the release of the fleet: ${doDeploy(of, 'adopt')}`,
    });
  }
  if (!runsSomething(member)) throw notWhole([member], 'without containers', of);
  return release;
}

function notWhole(members: readonly Member[], how: string, of: Environment): DeployError {
  const message = `${namesOf(members)} ${members.length === 1 ? 'is' : 'are'} ${how}. Nothing was restarted.`;
  return new DeployError('not-whole', message, {
    source: 'user',
    hint: `Repair the fleet first: ${doDeploy(of, 'heal')}`,
  });
}

/** Throws DeployError unknown-service. */
function refuseUnknown(releases: readonly StoredRelease[], service: string): void {
  if (releases.some(({ services }) => services.some(({ name }) => name === service))) return;
  const [first] = releases;
  if (first === undefined) return;
  const services = [...new Map(releases.flatMap((release) => release.services.map((one) => [one.name, one]))).values()];
  throw unknownService({ ...first, services }, service);
}

/** The result says what a restart does not do: it takes no droplet to another release. */
function withStranded({ rolling }: Session, result: DeployResult): DeployResult {
  const left = result.rows.filter(({ outcome }) => outcome === 'deploy failed' || outcome === 'unfinished');
  if (!rolling || left.length === 0) return result;
  const names = left.map(({ name }) => name).join(', ');
  const stays = left.length === 1 ? 'stays on its release' : 'stay on their releases';
  return { ...result, summary: `${result.summary} ${names} ${stays}: a restart goes to no other one.` };
}
