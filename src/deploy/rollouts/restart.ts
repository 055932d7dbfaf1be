/**
 * `do-deploy restart`, `stop` and `start`: change the containers of each droplet, batch by batch, through the steps and gates of a
 * deploy. Every droplet keeps the release that it runs, and one that fails goes to no other release.
 */

import { DeployError } from '../../errors.js';
import { isAlive } from '../../rollout/health.js';
import type { DeployResult } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import { refuseGoneImages } from '../droplet/gone-images.js';
import { namesOf, releaseOfMost } from '../droplet/held-releases.js';
import {
  currentRelease,
  isHalfDone,
  loginTo,
  type Member,
  runsSomething,
  servicesOn,
  stoppedOn,
} from '../droplet/member.js';
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

export interface ServiceOptions extends SessionOptions {
  service: string;
}

type Verb = 'restart' | 'stop' | 'start';

/** Never throws: every end is a result. */
export async function restart(given: DeployPorts, options: RestartOptions): Promise<DeployResult> {
  return await changeContainers('restart', given, options, () => false);
}

/** Removes the containers of a service, and records that it is stopped. Never throws: every end is a result. */
export async function stop(given: DeployPorts, options: ServiceOptions): Promise<DeployResult> {
  const { service } = options;
  const isStopped = (member: Member, { id }: StoredRelease) =>
    stoppedOn(member, id).has(service) && containersOf(member, service).length === 0;
  return await changeContainers('stop', given, options, isStopped);
}

/** Starts a service that was stopped. Never throws: every end is a result. */
export async function start(given: DeployPorts, options: ServiceOptions): Promise<DeployResult> {
  const { service } = options;
  const isStarted = (member: Member, release: StoredRelease) => {
    const wanted = servicesOn(member, release).find(({ name }) => name === service)?.replicas ?? 0;
    return (
      !stoppedOn(member, release.id).has(service) && containersOf(member, service).filter(isAlive).length >= wanted
    );
  };
  return await changeContainers('start', given, options, isStarted);
}

async function changeContainers(
  verb: Verb,
  given: DeployPorts,
  options: RestartOptions,
  isUpToDate: (member: Member, release: StoredRelease) => boolean,
): Promise<DeployResult> {
  const { settings, service } = options;
  const words = service === undefined ? [] : [service];
  return await runSession(verb, given, { ...options, words }, NO_RELEASE_YET, async (session, ports) => {
    const result = await performRollout(session, {
      // There is no other release to go to, and none whose effects have to be watched.
      policy: { onFailure: 'stop', pauseMs: 0, bakeMs: 0 },
      refuse: refuseImpossible,
      reach: 'all',
      service,
      ...(verb !== 'restart' && { stopping: verb }),
      async choose(shares) {
        await surveyAll(ports, settings, session.members, { prepare: false });
        const own = new Map(session.members.map((member) => [member, mustRun(member, settings)] as const));
        if (service !== undefined) refuseUnknown([...own.values()], service);
        if (service !== undefined && verb === 'restart') refuseStopped(own, service, settings);
        if (service !== undefined && verb === 'stop') {
          for (const { fleet, members } of shares)
            refuseServing(members, own, { service, ports: fleet.target.ports }, settings);
        }
        const choices = await eachShare(shares, (share) => chooseOwn(share, own, { verb, service }));
        session.release = infoOf((choices[0] as Choice).release);
        return choices;
      },
      isUpToDate,
    });
    return withStranded(session, result);
  });
}

/** Throws DeployError not-whole or image-gone before anything changes. */
async function chooseOwn(
  { run, members }: Share,
  releases: ReadonlyMap<Member, StoredRelease>,
  { verb, service }: { verb: Verb; service: string | undefined },
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
    const lacks = service !== undefined && !release.services.some(({ name }) => name === service);
    const isStopped = service !== undefined && verb === 'restart' && stoppedOn(member, release.id).has(service);
    if (lacks || isStopped) exempt.add(member.droplet.id);
    else if (verb !== 'stop')
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
  const message = `${namesOf(members)} ${members.length === 1 ? 'is' : 'are'} ${how}. Nothing was changed.`;
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

/** Throws DeployError service-stopped where no droplet has anything to restart. */
function refuseStopped(own: ReadonlyMap<Member, StoredRelease>, service: string, of: Environment): void {
  const having = [...own].filter(([, { services }]) => services.some(({ name }) => name === service));
  if (!having.every(([member, { id }]) => stoppedOn(member, id).has(service))) return;
  throw new DeployError('service-stopped', `${service} is stopped on every droplet. Nothing was restarted.`, {
    source: 'user',
    hint: `Start it: ${doDeploy(of, 'start', service)}`,
  });
}

/** Throws DeployError service-serves: without the service, the droplet could not be healthy. */
function refuseServing(
  members: readonly Member[],
  releases: ReadonlyMap<Member, StoredRelease>,
  { service, ports }: { service: string; ports: readonly number[] },
  of: Environment,
): void {
  for (const member of members) {
    const release = releases.get(member);
    const { name } = member.host;
    const port = ports.find((port) => publishes(member, service, port));
    if (port !== undefined) {
      throw new DeployError(
        'service-serves',
        `${service} answers the balancer on port ${port} of ${name}: without it, the droplet would not be healthy.`,
        {
          source: 'user',
          droplet: name,
          hint: `To keep requests from a droplet, take it out of rotation: ${doDeploy(of, 'droplet out', name, '--reason', 'TEXT')}`,
        },
      );
    }
    const others = release && servicesOn(member, release).filter((one) => one.name !== service);
    if (others?.some(({ replicas, oneShot }) => replicas > 0 && !oneShot)) continue;
    throw new DeployError('service-serves', `Without ${service}, nothing would run on ${name}.`, {
      source: 'user',
      droplet: name,
      hint: `To stop the app for a short time all the same, until heal or a deploy starts it: ${loginTo(member)} docker compose --project-name ${release?.app} stop`,
    });
  }
}

/** A service on the host's network shows no ports: it has the port if no other service publishes it. */
function publishes(member: Member, service: string, port: number): boolean {
  const publishers = member.containers.filter(({ ports }) => ports.some(({ host }) => host === port));
  if (publishers.length > 0) return publishers.every((one) => one.service === service);
  const onHost = member.containers.filter(({ hostNetwork, state }) => hostNetwork && state === 'running');
  return onHost.length > 0 && onHost.every((one) => one.service === service);
}

function containersOf({ containers }: Member, service: string): Member['containers'] {
  return containers.filter((one) => one.service === service);
}

/** The result says what a restart does not do: it takes no droplet to another release. */
function withStranded({ rolling, command }: Session, result: DeployResult): DeployResult {
  const left = result.rows.filter(({ outcome }) => outcome === 'deploy failed' || outcome === 'unfinished');
  if (!rolling || left.length === 0) return result;
  const names = left.map(({ name }) => name).join(', ');
  const stays = left.length === 1 ? 'stays on its release' : 'stay on their releases';
  return { ...result, summary: `${result.summary} ${names} ${stays}: a ${command} goes to no other one.` };
}
