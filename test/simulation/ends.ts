/** Judges a run's end against the truth of the world: d, g and j of the properties in monitor.ts. */
import type { DropletStateFile } from '../../src/deploy/droplet/survey-command.js';
import { releaseHash } from '../../src/deploy/release/release-hash.js';
import { RELEASE_FAULTS } from '../../src/deploy/session/orchestrator.js';
import type { DeployResult, StatusRow } from '../../src/rollout/model.js';
import type { Deployer } from './deployer.js';
import { floorFor } from './floor.js';
import { judgeEvents } from './layers.js';
import type { Monitor } from './monitor.js';
import { type Droplet, START, type World } from './world.js';

/** Right after a run has ended by itself. */
export function judgeEnd(world: World, deployer: Deployer, result: DeployResult): void {
  const { monitor } = world;
  monitor.tally(`end: ${deployer.plan.command} ${result.outcome}`);
  if (result.error) monitor.tally(`error: ${result.error.code}`);
  if (result.error?.code === 'bug') monitor.violation('d', `a bug: ${result.error.message}`);
  if (result.outcome === 'failed' && result.error === undefined) {
    monitor.violation('d', `${deployer.name} fails and says nothing of why`);
  }
  if (deployer.finished.length !== 1) {
    monitor.violation('g', `${deployer.name} told rollout-finished ${deployer.finished.length} times`);
  }
  if (!['succeeded', 'skipped', 'failed', 'interrupted'].includes(result.outcome)) {
    monitor.violation('g', `${deployer.name} ends as ${result.outcome}`);
  }
  judgeEvents(world, deployer, result);
  const good = result.outcome === 'succeeded' || result.outcome === 'skipped';
  if (result.outcome === 'failed' && isCalm(world, deployer)) judgeRevert(world, result);
  if (isCondemned(world, deployer)) judgeFleetReverted(world, deployer, result);
  if (good && result.held === undefined) judgeAnchor(world, deployer, result.release.id);
  if (result.outcome === 'failed') judgeNotAnchored(world, deployer, result);
  judgeCanary(world, deployer, result);
  if (result.outcome === 'succeeded') judgeBaked(world, deployer);
  if (good) judgeBakeOwed(world, deployer);
  for (const row of result.rows)
    judgeRow(world, deployer, row, result.release.id, { good, held: result.held !== undefined });
}

/** Time in which a bake must have noticed a sick droplet, in ms: the balancer's check is made twice. */
const NOTICED_MS = 20_000;

/** What was watched to the end is well, where every look was answered. */
function judgeBaked(world: World, { name, plan, rests, knowledge }: Deployer): void {
  const calm = world.story.happenings.length === 0 && plan.faults.length === 0 && plan.chaos === 0;
  if (!calm || rests.bakeMs === 0) return;
  if (isGateBad(world, rests.bakeMs))
    world.monitor.violation('o', `${name} has baked the release, and the gate says no`);
  // Without a balancer nothing asks the app, only Docker.
  const isUnasked = world.balancer === undefined && world.story.image.kind === 'wrong-answer';
  if (rests.bakeMs < NOTICED_MS || isUnasked) return;
  world.monitor.tally('bake: to the end');
  const times = [world.time, world.time - NOTICED_MS / 2, world.time - NOTICED_MS];
  for (const id of knowledge.touched) {
    const droplet = world.droplets.get(id);
    if (droplet === undefined || droplet.disturbed || times.some((at) => world.answers(droplet, at))) continue;
    world.monitor.violation('o', `${name} has baked the release, and ${droplet.name} is sick`);
  }
}

/** Where droplets could always be told so, they know that the release has to bake. */
function judgeBakeOwed({ monitor, story, deployers, bakeOwed }: World, { name, plan, rests }: Deployer): void {
  if (plan.command !== 'deploy' || rests.bakeMs === 0 || story.target === 'roles') return;
  const calm = story.happenings.length === 0 && deployers.every((one) => one.plan.faults.length + one.plan.chaos === 0);
  if (calm) monitor.tally('bake: nothing owed');
  if (calm && bakeOwed === plan.tag) monitor.violation('o', `${name} ends, and the release has not baked`);
}

/** Through the whole bake: however seldom it is asked, and however often it may say no, that must be found out. */
function isGateBad({ story: { gate }, time }: World, bakeMs: number): boolean {
  if (gate === undefined) return false;
  const at = time - START;
  return gate.badFromMs <= at - bakeMs && at < gate.badFromMs + gate.badForMs;
}

/** Nothing but the release can be at fault, and there is a way back. */
function isCalm({ story, deployers, isFleet }: World, { plan, layerFailed }: Deployer): boolean {
  const { onFailure } = story.policy;
  const alone = deployers.length === 1 && story.runs.length === 1 && story.happenings.length === 0;
  const calm = plan.faults.length === 0 && plan.chaos === 0 && !layerFailed && !plan.interrupt && !plan.crash;
  return alone && calm && isFleet && story.start === 'managed' && onFailure !== 'stop';
}

/** A bad release costs nothing but time. */
function judgeRevert(world: World, result: DeployResult): void {
  const { monitor } = world;
  monitor.tally('calm: failed');
  for (const droplet of world.droplets.values()) {
    const current = droplet.disk.current ?? '';
    const fine = world.isMember(droplet) && !droplet.tags.has(world.ledgerTag(droplet)) && runs(droplet, current);
    if (!fine)
      monitor.violation('f', `only the release was bad, and ${droplet.name} is not as it was (${result.error?.code})`);
  }
}

/** A release that has failed on a droplet, and that other droplets keep, is not what later runs bring droplets to. */
function judgeNotAnchored(
  world: World,
  { name, plan, layerFailed }: Deployer,
  { rows, release, error }: DeployResult,
): void {
  if (!RELEASE_FAULTS.has(error?.code ?? '')) return;
  const { story, deployers, isFleet, monitor } = world;
  const calm = deployers.every((one) => one.plan.faults.length + one.plan.chaos === 0) && story.happenings.length === 0;
  const alone = deployers.length === 1 && story.runs.length === 1 && story.target !== 'roles';
  if (!calm || !alone || layerFailed || !isFleet || story.policy.onFailure !== 'stop' || plan.command !== 'deploy')
    return;
  const on = rows.filter(({ release: id }) => id === release.id);
  if (on.length === rows.length || !on.some(({ outcome }) => outcome === 'deployed')) return;
  monitor.tally('anchor: of a release that failed');
  const records = [...world.droplets.values()].flatMap(({ disk }) => disk.releases.get(release.id)?.record ?? []);
  const anchored = records.some((record) => [...world.tags].some((tag) => tag.endsWith(`:${releaseHash(record)}`)));
  if (anchored) monitor.violation('d', `${name} has failed with ${release.id}, and it stays recorded as the fleet's`);
}

/** Deployed to the fleet means: recorded where later runs, which need not believe a droplet, find it. */
function judgeAnchor(world: World, deployer: Deployer, release: string): void {
  const { monitor, isFleet, droplets } = world;
  const { command } = deployer.plan;
  if (!isFleet || (command !== 'deploy' && command !== 'rollback')) return;
  if ([...droplets.values()].some((droplet) => isOthersBusiness(droplet, deployer))) return;
  const records = [...droplets.values()].flatMap(({ disk }) => disk.releases.get(release)?.record ?? []);
  for (const scope of world.story.target === 'roles' ? ['web:', 'worker:'] : ['']) {
    const anchors = [...world.tags].flatMap((tag) => {
      const pattern = new RegExp(`^do-deploy:release:shop:production:${scope}(\\d+):(.*)$`);
      const [, sequence = '', hash = ''] = pattern.exec(tag) ?? [];
      return hash === '' ? [] : [{ sequence: Number(sequence), hash }];
    });
    const [newest] = anchors.sort((a, b) => b.sequence - a.sequence);
    if (records.some((record) => releaseHash(record) === newest?.hash)) monitor.tally('anchor: the release');
    else monitor.violation('d', `${deployer.name} has deployed ${release}, and the newest anchor is another release`);
  }
}

/** The release that every droplet had, where a deploy has ended before any droplet ran its own, verified. */
export function replacedIn({ droplets }: World): string | undefined {
  const disks = [...droplets.values()].filter(({ destroyed }) => !destroyed).map(({ disk }) => disk);
  const [before, ...others] = [...new Set(disks.map(({ current }) => current))];
  if (before === undefined || others.length > 0) return undefined;
  const states = disks.flatMap(({ state }) => (state === undefined ? [] : [JSON.parse(state) as DropletStateFile]));
  const halfWay = states.flatMap(({ phase, release }) => (phase === 'switching' ? [release] : []));
  const wasProven = (release: string) => states.some(({ proven }) => proven?.includes(release));
  return halfWay.length > 0 && !halfWay.some(wasProven) ? before : undefined;
}

const NO_RECORD: ReadonlySet<string> = new Set(['lock-broken', 'ssh-refused', 'ssh-away', 'offline', 'destroyed']);

/** A canary stays as small as it was wanted, is recorded while droplets run it, and the fleet's own release stays recorded. */
function judgeCanary(world: World, deployer: Deployer, result: DeployResult): void {
  const { monitor, balancer } = world;
  const { plan } = deployer;
  const droplets = [...world.droplets.values()].filter((droplet) => !droplet.destroyed);
  if (balancer === undefined || droplets.some((droplet) => isOthersBusiness(droplet, deployer))) return;
  const recorded = [...world.tags].flatMap((tag) => /^do-deploy:canary:shop:production:(.*)$/.exec(tag)?.[1] ?? []);
  const on = droplets.filter(({ disk }) => {
    const state = disk.state === undefined ? undefined : (JSON.parse(disk.state) as { release: string });
    const record = disk.releases.get(state?.release ?? '')?.record;
    return record !== undefined && recorded.includes(releaseHash(record));
  });
  const release = droplets.flatMap(({ disk }) => disk.releases.get(result.release.id)?.record ?? [])[0];
  // Where the fleet has no other droplet, nothing says that it is not the fleet's.
  const hasOthers = droplets.some((droplet) => world.isMember(droplet) && !on.includes(droplet));
  if (plan.command === 'adopt' && hasOthers && release !== undefined && releaseHash(release) === world.held)
    monitor.violation('n', `${deployer.name} adopts droplets with the canary`);
  world.held = result.held === undefined ? undefined : recorded[0];
  if (recorded.length > 1) monitor.violation('n', `after ${deployer.name} two canaries are recorded`);
  if (result.held !== undefined) {
    monitor.tally('canary: held');
    // Of what is recorded as out, the run may not know how its last change has ended.
    const known = on.filter((droplet) => !droplet.tags.has(world.ledgerTag(droplet)));
    const names = known.filter((droplet) => phaseOf(droplet).endsWith(' verified')).map(({ name }) => name);
    const said = result.held.droplets;
    if (names.some((name) => !said.includes(name)))
      monitor.violation(
        'n',
        `${deployer.name} says that a canary is held on ${said.join(', ')}, not ${names.join(', ')}`,
      );
    const anchor = [...world.tags].find((tag) =>
      recorded.some((hash) => tag.endsWith(`:${hash}`) && tag.includes(':release:')),
    );
    if (plan.canary !== undefined && deployer.name === 'deployer-1' && anchor !== undefined)
      monitor.violation('n', `a canary is held, and recorded as the release of the fleet: ${anchor}`);
    const most = plan.command === 'deploy' ? plan.canary : undefined;
    if (most !== undefined && result.outcome === 'succeeded' && said.length > most && plan.tag === result.held.imageTag)
      monitor.violation('n', `a canary of ${most} is held on ${said.length} droplets`);
  }
  const good = result.outcome === 'succeeded' || result.outcome === 'skipped';
  if (!good || (plan.command !== 'promote' && plan.command !== 'abort')) return;
  monitor.tally(`canary: ${plan.command}`);
  // A run whose lock was broken, or whose droplet cannot be asked for it, removes no record, and says so.
  const isBroken = world.story.happenings.some(({ kind }) => NO_RECORD.has(kind));
  if (recorded.length > 0 && plan.faults.length === 0 && plan.chaos === 0 && !isBroken)
    monitor.violation('n', `after ${plan.command} the canary is still recorded`);
  if (on.length > 0 && on.length < droplets.length)
    monitor.violation('n', `after ${plan.command}, ${on.map(({ name }) => name).join(', ')} still run the canary`);
}

/** Its release was to be taken back everywhere, and there is an earlier one to go back to. */
function isCondemned({ story }: World, { knowledge, plan }: Deployer): boolean {
  const managed = story.target !== 'droplet' && story.start === 'managed' && plan.command === 'deploy';
  return managed && story.policy.onFailure === 'revert-fleet' && knowledge.condemned;
}

function judgeFleetReverted(world: World, deployer: Deployer, result: DeployResult): void {
  const { monitor } = world;
  const { touched, finishing } = deployer.knowledge;
  monitor.tally('revert-fleet: condemned');
  const hadToStop = deployer.interrupted.signal.aborted || !finishing || isAtTheFloor(world, deployer);
  for (const row of result.rows) {
    const droplet = world.droplets.get(row.id);
    if (droplet === undefined || !touched.has(row.id) || isOthersBusiness(droplet, deployer)) continue;
    if (row.outcome === 'reverted' || droplet.tags.has(world.ledgerTag(droplet))) continue;
    // What is said of it must be true: that it could not be taken back, or is in hand, or still on the release.
    const failed = row.outcome === 'deploy failed';
    const said = row.outcome === 'unfinished' || (row.outcome === 'deployed' && row.release === result.release.id);
    if ((failed || (hadToStop && said)) && runs(droplet, row.release)) continue;
    monitor.violation('j', `the release failed, and ${row.name} is said to be ${row.outcome} on ${row.release}`);
  }
}

/** As the run saw it: nobody else could leave. */
function isAtTheFloor(world: World, { knowledge, allowDowntime }: Deployer): boolean {
  if (allowDowntime || !world.isFleet) return false;
  const { probes, batch, lastChange } = knowledge;
  const roles = world.story.target === 'roles' ? (['web', 'worker'] as const) : [undefined];
  return roles.some((role) => {
    const members = role === 'worker' ? knowledge.workers : knowledge.members;
    const isOfRole = (droplet: Droplet | undefined) => droplet !== undefined && world.roleOf(droplet) === role;
    const fleet = [...knowledge.fleet].filter((id) => members?.ids.has(id) && isOfRole(world.droplets.get(id)));
    // One that could not be asked at the last look counts as out.
    const serving = fleet.filter((id) => {
      const probe = probes.get(id);
      return probe?.passed === true && probe.at > lastChange;
    });
    const recorded = [...world.droplets.values()].filter((one) => isOfRole(one) && one.tags.has(world.ledgerTag(one)));
    const size = new Set([...fleet, ...recorded.map(({ id }) => id)]).size;
    return serving.length <= floorFor(world.story, size, (batch?.batch ?? 0) + 1);
  });
}

function judgeRow(
  world: World,
  deployer: Deployer,
  row: StatusRow,
  release: string,
  { good, held }: { good: boolean; held: boolean },
): void {
  const { monitor } = world;
  const droplet = world.droplets.get(row.id);
  if (droplet === undefined || isOthersBusiness(droplet, deployer)) return;
  if (row.outcome === 'in progress') monitor.violation('d', `at the end ${row.name} is in progress`);
  monitor.tally(`row: ${row.outcome}`);
  if (row.outcome === 'reverted') monitor.tally(`reverted: ${world.story.policy.onFailure}`);
  if (row.outcome === 'deploy failed' && droplet.tags.has(world.ledgerTag(droplet))) monitor.tally('row: stranded');
  const isDone = row.outcome === 'deployed' || row.outcome === 'up to date' || row.outcome === 'reverted';
  if (
    good &&
    row.outcome !== 'deployed' &&
    row.outcome !== 'up to date' &&
    row.outcome !== 'not deployed' &&
    row.outcome !== 'taken out'
  ) {
    monitor.violation('d', `a good end, and ${row.name} is ${row.outcome}`);
  }
  // What a canary leaves alone, or what leaves a canary alone.
  if (!isDone && (!good || (held && row.outcome === 'not deployed'))) {
    judgeUntouched(monitor, deployer, droplet, row);
    if (good && droplet.tags.has(world.ledgerTag(droplet)))
      monitor.violation('n', `a good end beside a canary, and ${row.name} is in the ledger`);
    return;
  }
  const where = `${row.name} is said to be ${row.outcome}`;
  const isHeal = deployer.plan.command === 'heal';
  // Each has its own.
  const isOwn = isHeal || ['restart', 'stop', 'start', 'droplet out', 'droplet in'].includes(deployer.plan.command);
  const isByHand = deployer.plan.command.startsWith('droplet ');
  if (row.outcome === 'taken out') {
    if (!world.isByHand(droplet)) monitor.violation('d', `${where}, and is not`);
    return;
  }
  // One that serves something that do-deploy did not start, or takes no part.
  if ((isHeal || isByHand) && row.outcome === 'not deployed') return;
  const expected = row.outcome === 'reverted' || isOwn ? row.release : release;
  if (droplet.disk.current !== expected)
    monitor.violation('d', `${where} on ${expected}, and current is ${droplet.disk.current}`);
  if (phaseOf(droplet) !== `${expected} verified`)
    monitor.violation('d', `${where}, and its state is ${phaseOf(droplet)}`);
  if (deployer.plan.command === 'stop' && !isStopped(droplet, deployer.plan.tag))
    monitor.violation('r', `${where}, and ${deployer.plan.tag} is not stopped there, or not recorded so`);
  if (!runs(droplet, expected)) monitor.violation('d', `${where}, and does not run ${expected}`);
  if (!world.isFleet) return;
  if (!world.isMember(droplet)) monitor.violation('d', `${where}, and is out of rotation`);
  if (droplet.tags.has(world.ledgerTag(droplet))) monitor.violation('d', `${where}, and is in the ledger`);
}

function isStopped({ disk, containers }: Droplet, service: string): boolean {
  const { stopped } = disk.state === undefined ? {} : JSON.parse(disk.state);
  return stopped?.services.includes(service) === true && !containers.some((one) => one.service === service);
}

/** What this run has not changed runs what is said of it. */
function judgeUntouched(monitor: Monitor, { knowledge }: Deployer, droplet: Droplet, row: StatusRow): void {
  const { state } = droplet.disk;
  // Before it was surveyed nothing is said of it.
  if (knowledge.switched.has(droplet.name) || row.release === '' || state === undefined) return;
  const { release } = JSON.parse(state) as { release: string };
  if (row.release === release) return;
  monitor.violation('d', `${row.name} is said to run ${row.release}, and its state is ${phaseOf(droplet)}`);
}

/** What was true when this run was done with it may be another run's business by now, or somebody's outside. */
function isOthersBusiness(droplet: Droplet, deployer: Deployer): boolean {
  if (droplet.destroyed || droplet.disturbed) return true;
  const { holders } = droplet.lock;
  return holders.slice(holders.indexOf(deployer.name)).some((name) => name !== deployer.name);
}

export function phaseOf(droplet: Droplet): string {
  if (droplet.disk.state === undefined) return 'none';
  const state = JSON.parse(droplet.disk.state) as { release: string; phase: string };
  return `${state.release} ${state.phase}`;
}

/** Whether all its containers are of this release's images. */
export function runs(droplet: Droplet, release: string): boolean {
  const record = droplet.disk.releases.get(release)?.record;
  if (record === undefined || droplet.containers.length === 0) return false;
  return droplet.containers.every((container) => record.images[container.service]?.imageId === container.imageId);
}
