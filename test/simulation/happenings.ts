/** What befalls the world from outside. */
import { advance, changeMembership } from './data-plane.js';
import { lockProcess } from './lock.js';
import type { Happening } from './scenario.js';
import { type Droplet, WORKERS, type World } from './world.js';

/** Puts the story's happenings on the world's agenda. */
export function schedule(world: World): void {
  const start = world.clock.now();
  for (const happening of world.story.happenings) {
    world.at(start + happening.atMs, () => {
      const droplets = [...world.droplets.values()].filter((droplet) => !droplet.destroyed);
      const droplet = droplets[happening.droplet % Math.max(1, droplets.length)];
      if (droplet === undefined) return;
      world.monitor.tally(`happening: ${happening.kind}`);
      befall(world, droplet, happening);
    });
  }
}

function befall(world: World, droplet: Droplet, { kind, forMs }: Happening): void {
  const until = world.time + forMs;
  const [deployer] = world.deployers;
  switch (kind) {
    case 'ill':
      advance(world, droplet, world.time);
      droplet.disturbed = true;
      for (const container of droplet.containers) {
        container.illFrom = world.time;
        container.illUntil = until;
      }
      return;
    case 'removed':
      if (!canChange(world) || fleetSize(world) < 3 || !world.isMember(droplet)) return;
      droplet.disturbed = true;
      droplet.tags.delete(memberTag(world) ?? '');
      changeMembership(world, droplet, 'out');
      world.at(until, () => putBack(world, droplet));
      return;
    case 'destroyed':
      if (fleetSize(world) < 3) return;
      destroy(world, droplet);
      return;
    case 'joined': {
      if (!canChange(world)) return;
      const newcomer = world.addDroplet('legacy', false);
      newcomer.disturbed = true;
      newcomer.joined = true;
      tagAsMember(world, newcomer);
      changeMembership(world, newcomer, 'in');
      return;
    }
    case 'ssh-refused':
      droplet.sshRefusedUntil = until;
      return;
    case 'ssh-away':
    case 'offline':
      if (deployer === undefined) return;
      deployer.sshAwayUntil = until;
      if (kind === 'offline') deployer.apiAwayUntil = until;
      for (const link of deployer.links) link.cut('silently');
      return;
    case 'docker-down':
      droplet.dockerDownUntil = until;
      return;
    case 'disk-full':
      droplet.disk.fullUntil = until;
      return;
    case 'lock-broken':
      lockProcess(world, droplet)?.kill();
      // `do-deploy lock break` names itself; the kernel's memory killer does not; and a record may be damaged.
      if (forMs % 5 === 0 && droplet.lock.holder !== undefined) {
        world.monitor.tally('happening: record damaged');
        droplet.lock.holder = droplet.lock.holder.slice(0, forMs % 11);
      } else if (forMs % 2 === 0) {
        const since = new Date(world.time).toISOString();
        droplet.lock.holder = JSON.stringify({ run: 'lock break', who: 'bob@laptop', release: '', since, broke: true });
      }
      return;
  }
}

/** Somebody can add droplets to the fleet, and take them out. */
function canChange({ balancer, story }: World): boolean {
  return balancer !== undefined || story.target === 'tagged';
}

function memberTag({ balancer, story }: World): string | undefined {
  return story.target === 'tagged' ? WORKERS : balancer?.tag;
}

function tagAsMember(world: World, droplet: Droplet): void {
  const tag = memberTag(world);
  if (tag !== undefined) droplet.tags.add(tag);
}

/** Whoever took it out of the fleet thinks better of it. */
function putBack(world: World, droplet: Droplet): void {
  if (droplet.destroyed || world.isMember(droplet)) return;
  world.monitor.tally('happening: put back');
  tagAsMember(world, droplet);
  changeMembership(world, droplet, 'in');
}

/** Who is left: a fleet that somebody has emptied is nobody's to deploy to. */
function fleetSize(world: World): number {
  return [...world.droplets.values()].filter(
    (droplet) => !droplet.destroyed && (world.isMember(droplet) || droplet.tags.has(world.ledgerTag(droplet))),
  ).length;
}

function destroy(world: World, droplet: Droplet): void {
  advance(world, droplet, world.time);
  droplet.destroyed = true;
  droplet.disturbed = true;
  droplet.tags.clear();
  // Nor does its owner list it any longer.
  world.listed.delete(droplet.id);
  for (const plane of droplet.planes) Object.assign(plane, { member: false, up: false });
  world.balancer?.accepted.delete(droplet.id);
  world.balancer?.shown.delete(droplet.id);
  for (const deployer of world.deployers) {
    for (const link of deployer.links) if (link.droplet === droplet) link.cut('silently');
  }
}

/** Whatever was wrong from outside is over. */
export function calm(world: World): void {
  for (const droplet of world.droplets.values()) {
    advance(world, droplet, world.time);
    droplet.sshRefusedUntil = 0;
    droplet.dockerDownUntil = 0;
    droplet.disk.fullUntil = 0;
    for (const container of droplet.containers) container.illUntil = Math.min(container.illUntil, world.time);
  }
}
