/**
 * `do-deploy droplet out` and `do-deploy droplet in`: a person takes a droplet out of rotation, where every later run leaves it,
 * and brings it back through the gates. The record of it is a tag at DigitalOcean (fleet/by-hand-tag.ts).
 */

import { DeployError } from '../../errors.js';
import type { DeployResult } from '../../rollout/model.js';
import type { Policy } from '../../rollout/rollout-state.js';
import type { PlacedDroplet } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { releaseOfMost } from '../droplet/held-releases.js';
import { currentRelease, runsUnchanged } from '../droplet/member.js';
import { surveyAll } from '../droplet/survey.js';
import { plain } from '../fleet/by-hand-tag.js';
import { byHandSentence, type Fleet, isNamed } from '../fleet/find-fleet.js';
import { fleetRelease, recordedIn } from '../fleet/fleet-release.js';
import { refuseImpossible } from '../fleet/policy.js';
import { chooseDroplets } from '../operate/choose-droplets.js';
import { infoOf, type StoredRelease } from '../release/stored-release.js';
import { type Choice, eachShare, performRollout, type Share } from '../session/rollout.js';
import { NO_RELEASE_YET, runSession, type Session, type SessionOptions } from '../session/session.js';
import { releaseToAdopt, stageTo } from './bring-to-release.js';

export interface ByHandOptions extends SessionOptions {
  /** Its name or id. */
  droplet: string;
}

export interface TakeOutOptions extends ByHandOptions {
  reason: string;
}

/** Nothing is brought to the fleet, and what fails leaves the droplet as it is. */
const POLICY = { onFailure: 'stop', pauseMs: 0, bakeMs: 0 } as const satisfies Partial<Policy>;

/** Takes the droplet out of rotation, drained, and records it as taken out by hand. Never throws: every end is a result. */
export async function takeOut(given: DeployPorts, options: TakeOutOptions): Promise<DeployResult> {
  const { settings, droplet: word, deployer } = options;
  const reason = plain(options.reason);
  const words = [word, '--reason', reason];
  return await runSession('droplet out', given, { ...options, words }, NO_RELEASE_YET, (session, ports) =>
    performRollout(session, {
      policy: { ...POLICY, takesOut: true },
      nothingToDo(fleets) {
        const one = theDroplet(fleets, word);
        return one.byHand && `${byHandSentence(one)}.`;
      },
      refuse: (fleet, policy) => refuseToTake(fleet, policy, word),
      reach: 'any',
      byHand: { since: new Date(ports.clock.now()).toISOString(), who: deployer.who, reason },
      async choose(shares) {
        refuseUnreached(session, word);
        await surveyAll(ports, settings, session.members, { prepare: false });
        return await eachShare(shares, async (share) => asTheyAre(session, share, word));
      },
      isUpToDate: () => false,
    }),
  );
}

/** Brings the droplet to the fleet's release, and through the gates into rotation. Never throws: every end is a result. */
export async function bringBack(given: DeployPorts, options: ByHandOptions): Promise<DeployResult> {
  const { settings, droplet: word } = options;
  return await runSession('droplet in', given, { ...options, words: [word] }, NO_RELEASE_YET, (session, ports) =>
    performRollout(session, {
      // On a release that the fleet has left it would not be put back.
      policy: POLICY,
      bringsBack: word,
      nothingToDo(fleets) {
        const { droplet, rotation, inLedger } = theDroplet(fleets, word);
        return rotation === 'in' && !inLedger ? `${droplet.name} is in rotation.` : undefined;
      },
      refuse: (fleet) => refuseWithoutBalancer(fleet, word),
      reach: 'any',
      async choose(shares) {
        refuseUnreached(session, word);
        await surveyAll(ports, settings, session.members, { prepare: true });
        return await eachShare(shares, async (share) => {
          const { run, members } = share;
          const strays = members.filter(({ droplet }) => isNamed(droplet, word));
          if (strays.length === 0) return asTheyAre(session, share, word);
          const others = members.filter((member) => !strays.includes(member));
          const found = fleetRelease(others.length > 0 ? others : members, recordedIn(run));
          const release = releaseToAdopt(found, settings);
          session.release = infoOf(release);
          await stageTo(session, release, { donors: members, strays });
          return { release, exempt: new Set(others.map(({ droplet }) => droplet.id)) };
        });
      },
      isUpToDate: (member, release) => isNamed(member.droplet, word) && runsUnchanged(member, release),
    }),
  );
}

/** Every droplet keeps its release, and all but the named one take no part. Throws DeployError no-release. */
function asTheyAre(session: Session, { members, run }: Share, word: string): Choice {
  const own = new Map<number, StoredRelease>();
  for (const member of members) {
    const release = currentRelease(member);
    if (release !== undefined) own.set(member.droplet.id, release);
  }
  const release = releaseOfMost(members) ?? [...own.values()][0];
  if (release === undefined) {
    throw new DeployError('no-release', 'No droplet runs a release yet.', {
      source: 'user',
      hint: `Deploy one first: ${doDeploy(run.settings, 'deploy')}`,
    });
  }
  if (session.release.id === '') session.release = infoOf(release);
  const others = members.filter(({ droplet }) => !isNamed(droplet, word));
  return { release, own, exempt: new Set(others.map(({ droplet }) => droplet.id)) };
}

/** Throws DeployError unknown-droplet. */
function theDroplet(fleets: readonly Fleet[], word: string): PlacedDroplet {
  const all = fleets.map((fleet) => ({
    ...fleet,
    membership: { ...fleet.membership, droplets: [...fleet.membership.droplets, ...fleet.apart] },
  }));
  const [chosen] = chooseDroplets(all, { droplet: word });
  const found = all.flatMap(({ membership }) => membership.droplets).find(({ droplet }) => droplet.id === chosen?.id);
  if (found === undefined) throw new Error(`no droplet ${word} among those it was chosen from`);
  return found;
}

function refuseToTake(fleet: Fleet, policy: Policy, word: string): void {
  const own = fleet.membership.droplets.find(({ droplet }) => isNamed(droplet, word));
  if (own === undefined) return;
  refuseWithoutBalancer(fleet, word);
  refuseImpossible(fleet, policy);
}

/** Throws DeployError no-rotation. */
function refuseWithoutBalancer({ membership, target, settings }: Fleet, word: string): void {
  const own = membership.droplets.find(({ droplet }) => isNamed(droplet, word));
  if (own === undefined || target.healthCheck !== undefined) return;
  const message = `${own.droplet.name} is behind no load balancer, so there is no rotation that it could leave or join.`;
  throw new DeployError('no-rotation', message, {
    source: 'user',
    hint: `To leave it out of deploys, take it from ${settings.target.kind === 'tag' ? `the ${target.description}` : configFile(settings)}.`,
  });
}

/** Throws DeployError: why the droplet could not be reached. */
function refuseUnreached({ skipped }: Session, word: string): void {
  const lost = skipped.find(({ droplet }) => isNamed(droplet, word));
  if (lost !== undefined) throw lost.error;
}
