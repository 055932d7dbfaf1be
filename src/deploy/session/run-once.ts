/** A one-off container that runs once for a release: what was done before is not done again, and what still runs is waited for. */
import { DeployError } from '../../errors.js';
import type { CommandResult, RemoteCommand } from '../../ports.js';
import type { OneOffOptions, OneOffResult } from '../../rollout/lifecycle.js';
import { BoundedLines } from '../core/bounded-lines.js';
import { LineFeed, MAX_LINE } from '../core/line-feed.js';
import { errorLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import { warn } from '../core/report.js';
import { quote } from '../core/shell.js';
import { loginTo, type Member, ownCopy } from '../droplet/member.js';
import { readDone } from '../inspect/read-done.js';
import type { Done } from '../lease/done-commands.js';
import type { OneOff } from '../release/one-off.js';
import { recordDone } from './last-done.js';
import { findOnceCommand, NOT_RECORDED, onceCommand, onceContainer, readEnd, spokenLines } from './once-command.js';
import { MAX_OUTPUT } from './one-off-commands.js';
import type { Session } from './session.js';

/** Runs a command on a droplet as the holder of its lock, and feeds its output. */
export type Perform = (
  member: Member,
  command: RemoteCommand,
  options: { feed: Pick<LineFeed, 'start' | 'end'>; signal?: AbortSignal | undefined },
) => Promise<CommandResult>;

/** What goes on although nobody waits for it, as a sentence, and how to stop it. */
export interface LeftRunning {
  message: string;
  hint: string;
}

/** How often an earlier container is waited for. */
const MOST_ATTEMPTS = 5;

/**
 * Throws when nothing was run, or when it is not known how it ended.
 * @param members the first one runs it, unless an earlier run has left such a container on another
 * @param watch gets what goes on if the wait for it ends from here on
 */
export async function runOnce(
  session: Session,
  members: readonly Member[],
  what: OneOff,
  { once, signal, onLine }: OneOffOptions & { once: string },
  perform: Perform,
  watch: (left: LeftRunning | undefined) => void,
): Promise<OneOffResult> {
  const { run, goal } = session;
  const [first] = members;
  if (run === undefined || goal === undefined || first === undefined) throw new Error('there is no release');
  const { app } = run.settings;
  const key = keyOf(once);
  warnOfSkipped(session, key);
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
    const member = (await leftOn(members, app, key)) ?? first;
    const release = ownCopy(member, goal.own?.get(member.droplet.id) ?? goal.release);
    const done = await next(session, key, release.id);
    if (done === undefined) return { code: 0, output: '', done: 'before' };
    const output = new BoundedLines(MAX_OUTPUT);
    const feed = new LineFeed(spokenLines, ({ text, speaker }) => {
      output.add(text);
      onLine?.(text.slice(0, MAX_LINE), speaker);
    });
    watch(goesOn(member, onceContainer(app, key)));
    const command = onceCommand(release, run.id, { ...what, once: { key, done } });
    const result = await perform(member, command, { feed, signal });
    watch(undefined);
    const ended = endOf(member, result, output.text());
    if (ended === 'again') continue;
    if (ended.code === 0) await recordDone(session, key, done, { except: member });
    return ended;
  }
  throw new Error(`other runs have started ${what.service} again and again`);
}

/** A droplet that is out of reach cannot say whether an earlier run has left such a container there. */
function warnOfSkipped({ ports, skipped }: Session, key: string): void {
  const unasked = skipped.filter(({ droplet }) => droplet.status === 'active').map(({ droplet }) => droplet.name);
  if (unasked.length === 0) return;
  warn(ports, `${unasked.join(', ')} cannot say whether ${key} still runs there for an earlier deploy.`);
}

function endOf(member: Member, { code, stderr }: CommandResult, output: string): OneOffResult | 'again' {
  const { host } = member;
  if (code === NOT_RECORDED) {
    throw new DeployError('not-recorded', `It succeeded, but ${host.name} has no room to record that.`, {
      droplet: host.name,
      hint: `Free space, then run this again: it is not started a second time. ${loginTo(member)} df -h '~'`,
    });
  }
  const end = readEnd(stderr);
  if (end === undefined) throw new Error(`${host.name}: ${errorLine(stderr, `exit code ${code}`)}`);
  if (end === 'again') return end;
  return end === 'before' ? { code: 0, output, done: 'before' } : { code: end, output, done: 'now' };
}

/** The droplet on which an earlier run has left such a container. One whose Docker does not answer cannot say. */
async function leftOn(members: readonly Member[], app: string, key: string): Promise<Member | undefined> {
  const found = await inParallel(members, async ({ connection }) => await connection.run(findOnceCommand(app, key)));
  return members.find((_, index) => found[index]?.code === 0 && found[index]?.stdout.trim() !== '');
}

/** What a handler that does not wait any longer leaves behind. */
function goesOn(member: Member, container: string): LeftRunning {
  const { name } = member.host;
  return {
    message: `It may still run in the container ${container} on ${name}: the next run waits for its end.`,
    hint: `To stop it: ${loginTo(member)} ${quote(`docker stop ${container}`)}`,
  };
}

/** The record to write; undefined: the last time was for this release. */
async function next(session: Session, key: string, release: string): Promise<Done | undefined> {
  const last = await readDone(session, key);
  // Nothing was done for a release that this run has made, whatever a droplet says.
  return last.release === release && release !== session.made ? undefined : { number: last.number + 1, release };
}

/** A name of a layer's choice, as a file's name. */
function keyOf(once: string): string {
  return once.replace(/[^a-z0-9-]/gi, '-').slice(0, 100);
}
