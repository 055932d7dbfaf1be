/** Containers that run once: they belong to Docker, so they outlive the deployer that has started them. */

import { type Done as LastDone, lineOf, readLine } from '../../src/deploy/lease/done-commands.js';
import { NOT_HOLDER } from '../../src/deploy/lease/lease-commands.js';
import type { CommandResult } from '../../src/ports.js';
import type { Done, Execution } from './droplet-commands.js';
import { namesRun } from './lock.js';
import type { Droplet, World } from './world.js';

export interface OneOff {
  readonly release: string;
  readonly number: number;
  readonly endsAt: number;
  readonly code: number;
  /** It has been removed, or is no longer to be found by a later run. */
  gone: boolean;
}

/** In ms; some last longer than the lock of a dead deployer, and some fail. */
const LONGEST_MS = 45_000;
const FAILS = 0.15;

/** As the script of onceCommand does it. */
export function once(execution: Execution, args: Readonly<Record<string, unknown>>): Done {
  const { world, droplet } = execution;
  if (world.time < droplet.dockerDownUntil) return end({ code: 1, stderr: 'Cannot connect to the Docker daemon' });
  const { key, done } = args.once as { key: string; done: LastDone };
  for (const one of droplet.oneOffs) if (!one.gone) settle(world, droplet, key, one);
  const other = droplet.oneOffs.find((one) => !one.gone);
  if (other !== undefined && other.endsAt <= world.time) return end({ code: 74, stderr: 'cannot be recorded' });
  const mine = { release: String(args.release), number: Number(lineOf(done).split(' ')[0]) };
  if (other === undefined) return begin(execution, key, mine);
  world.monitor.tally('once: waits for an earlier one');
  const ms = Math.max(0, other.endsAt - world.time);
  const last = () => {
    settle(world, droplet, key, other);
    if (other.release === mine.release && other.number >= mine.number) return ended(other.code);
    // It would go on: that it answers here only shortens the story.
    return { code: 1, stderr: 'waited for another release' };
  };
  return { ...end({}), ms, last };
}

function begin({ world, droplet, command }: Execution, key: string, mine: Pick<OneOff, 'release' | 'number'>): Done {
  const had = readLine(droplet.disk.done.get(key) ?? '');
  if (had?.release === mine.release && had.number >= mine.number) return end({ stderr: 'before\n' });
  const code = world.chance() < FAILS ? 3 : 0;
  const one: OneOff = { ...mine, code, endsAt: world.time + 1 + Math.floor(world.chance() * LONGEST_MS), gone: false };
  world.monitor.onceStarts(droplet, one);
  droplet.oneOffs.push(one);
  // One without a name is compose's, and known to nobody else.
  const named = command.script.includes(' --detach --name ');
  if (!named) one.gone = true;
  const keeps = named && command.script.includes('\nsettle "$code" || exit 0\n');
  // Of three keepers one is killed.
  if (named && world.chance() < 0.67) {
    world.at(one.endsAt, () => {
      if (keeps) settle(world, droplet, key, one);
      else one.gone = true;
    });
  } else if (named) world.monitor.tally('once: nobody looks after it');
  const { run } = command.args;
  const last = () => {
    if (!keeps && !namesRun(droplet.lock.holder, String(run))) return { code: NOT_HOLDER, stderr: '' };
    settle(world, droplet, key, one);
    return ended(code);
  };
  return { ...end({}), ms: one.endsAt - world.time, last };
}

/** Compose removes ended one-off containers as orphans, whether their success was recorded or not. */
export function removeOrphans({ world, droplet, command }: Execution): void {
  for (const one of droplet.oneOffs) {
    if (one.gone || one.endsAt > world.time) continue;
    if (command.script.includes('settle "$code" || exit 1')) settle(world, droplet, 'migrate', one);
    one.gone = true;
    world.monitor.tally('once: removed as an orphan');
  }
}

/** Records a success and removes the container; a full disk keeps it. */
function settle(world: World, droplet: Droplet, key: string, one: OneOff): void {
  const { disk } = droplet;
  if (one.endsAt > world.time) return;
  if (one.code === 0 && (readLine(disk.done.get(key) ?? '')?.number ?? 0) < one.number) {
    if (!disk.made || world.time < disk.fullUntil) return;
    disk.done.set(key, lineOf(one));
  }
  one.gone = true;
}

function ended(code: number): Partial<CommandResult> {
  return { code: 0, stderr: `ended ${code}\n` };
}

function end({ code = 0, stderr = '' }: { code?: number; stderr?: string }): Done {
  return { code, stdout: '', stderr, ms: 0 };
}
