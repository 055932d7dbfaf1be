/** What handlers of events may do on the droplets of a session. */
import { DeployError } from '../../errors.js';
import type { CommandResult, RemoteCommand, RunOptions } from '../../ports.js';
import type { LifecycleEvent, LifecyclePayload, OneOffOptions, OneOffResult } from '../../rollout/lifecycle.js';
import { LineFeed } from '../core/line-feed.js';
import { errorLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import type { HandlerVerbs } from '../core/raise-event.js';
import { warn } from '../core/report.js';
import { quote } from '../core/shell.js';
import { loginTo, type Member, ownCopy } from '../droplet/member.js';
import { changeDroplet } from '../lease/change-droplet.js';
import type { Done } from './done-commands.js';
import type { Goal } from './goal.js';
import { readDone, recordDone } from './last-done.js';
import { findOnceCommand, NOT_RECORDED, onceCommand, onceContainer, readEnd } from './once-command.js';
import { oneOffCommand, processCommand } from './one-off-commands.js';
import type { Session } from './session.js';

/** Events at which the release is on the droplets, and the lease is held. */
const AT: ReadonlySet<LifecycleEvent> = new Set([
  'deploy',
  'before_leave',
  'after_rejoin',
  'after_batch',
  'post_deploy',
]);

const SIGNAL = /^(SIG)?[A-Z0-9+]{2,12}$/;

export function verbsOf(
  session: Session,
  event: LifecycleEvent,
  { droplet }: Pick<LifecyclePayload, 'droplet'>,
  stop: AbortSignal,
): HandlerVerbs {
  const now = () => {
    const { run, goal, members } = session;
    const own = droplet === undefined ? members : members.filter(({ host }) => host.name === droplet);
    const [first] = own;
    if (!AT.has(event) || run === undefined || goal === undefined || first === undefined) {
      const message = `commands cannot run on droplets at ${event}, only at ${[...AT].join(', ')}`;
      throw new DeployError('layer-misused', message, { source: 'user' });
    }
    return { run, goal, own, first };
  };
  let left: ReturnType<NonNullable<HandlerVerbs['leftRunning']>>;
  return {
    leftRunning: () => left,
    async confirm(name, question, signal) {
      const answer = await session.options.confirm?.(name, question, signal);
      if (answer === true && !session.confirmed.includes(name)) session.confirmed.push(name);
      return answer;
    },
    async run(service, words, options = {}) {
      const { run, goal, own, first } = now();
      const key = options.once === undefined ? undefined : keyOf(options.once);
      if (key !== undefined) warnOfSkipped(session, key);
      const perform = async (member: Member, command: RemoteCommand) => {
        await run.lease.ensure(member.droplet.id);
        return await inLines(options.onLine, (observe) =>
          changeDroplet(member, command, { signal: options.signal ?? stop, observe }),
        );
      };
      for (let attempt = 1; key !== undefined && attempt <= MOST_ATTEMPTS; attempt += 1) {
        const member = (await leftOn(own, run.settings.app, key)) ?? first;
        const release = ownCopy(member, goal.own?.get(member.droplet.id) ?? goal.release);
        const once = await next(session, key, release.id);
        if (once === 'done') return { code: 0, output: '', done: 'before' };
        left = goesOn(member, onceContainer(run.settings.app, key));
        const result = await perform(member, onceCommand(release, run.id, { service, words, once }));
        left = undefined;
        const ended = endOf(member, result);
        if (ended === 'again') continue;
        if (ended.code === 0) await recordDone(session, key, once.done, member);
        return ended;
      }
      if (key !== undefined) throw new Error(`other runs have started ${service} again and again`);
      const release = ownCopy(first, goal.own?.get(first.droplet.id) ?? goal.release);
      const { code, stdout, stderr } = await perform(first, oneOffCommand(release, run.id, { service, words }));
      return { code, output: `${stdout}${stderr}`, done: 'now' };
    },
    async process(service, action) {
      const { run, own, goal } = now();
      refuseUnknown(service, own, goal);
      if (typeof action === 'object' && 'signal' in action && !SIGNAL.test(action.signal)) {
        throw new DeployError('layer-misused', `${action.signal} is not the name of a signal`, { source: 'user' });
      }
      // A droplet that leaves runs everything again when it is back. At other events, a layer may mean to stop a service.
      const owed = event === 'before_leave' && action !== 'start' && action !== 'restart';
      await inParallel(own, async (member) => {
        await run.lease.ensure(member.droplet.id);
        const command = processCommand(run.settings.app, run.id, { service, action, owed });
        if (owed) member.handled = new Set([...(member.handled ?? []), service]);
        const { code, stderr } = await changeDroplet(member, command, { signal: stop });
        if (code !== 0) throw new Error(`${member.host.name}: ${errorLine(stderr, `exit code ${code}`)}`);
      });
    },
  };
}

/** Runs a command, and hands each line of its output on as soon as it is printed. */
async function inLines(
  onLine: OneOffOptions['onLine'] = () => {},
  run: (observe: NonNullable<RunOptions['observe']>) => Promise<CommandResult>,
): Promise<CommandResult> {
  const feed = new LineFeed(onLine);
  const result = await run(() => feed.start());
  feed.end();
  return result;
}

/** Throws when nothing was run, or when it is not known how it ended. */
/** How often an earlier container is waited for. */
const MOST_ATTEMPTS = 5;

/** A droplet that is out of reach cannot say whether an earlier run has left such a container there. */
function warnOfSkipped({ ports, skipped }: Session, key: string): void {
  const unasked = skipped.filter(({ droplet }) => droplet.status === 'active').map(({ droplet }) => droplet.name);
  if (unasked.length === 0) return;
  warn(ports, `${unasked.join(', ')} cannot say whether ${key} still runs there for an earlier deploy.`);
}

function endOf(member: Member, { code, stdout: output, stderr }: CommandResult): OneOffResult | 'again' {
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
function goesOn(member: Member, container: string): { message: string; hint: string } {
  const { name } = member.host;
  return {
    message: `It may still run in the container ${container} on ${name}: the next run waits for its end.`,
    hint: `To stop it: ${loginTo(member)} ${quote(`docker stop ${container}`)}`,
  };
}

/** A typo would change nothing, and be called done. A service that the release no longer has may still run. */
function refuseUnknown(service: string, members: readonly Member[], { release, own }: Goal): void {
  const running = members.flatMap(({ containers }) => containers.map((container) => container.service));
  const services = [release, ...(own?.values() ?? [])].flatMap((one) => one.services);
  const known = [...new Set([...services.map(({ name }) => name), ...running])];
  if (known.includes(service)) return;
  const message = `the release has no service ${service}; it has ${known.join(', ')}`;
  throw new DeployError('layer-misused', message, { source: 'user' });
}

/** The record to write; `done`: the last time was for this release. */
async function next(session: Session, key: string, release: string): Promise<{ key: string; done: Done } | 'done'> {
  const last = await readDone(session, key);
  // Nothing was done for a release that this run has made, whatever a droplet says.
  if (last.release === release && release !== session.made) return 'done';
  return { key, done: { number: last.number + 1, release } };
}

/** A name of a layer's choice, as a file's name. */
function keyOf(once: string): string {
  return once.replace(/[^a-z0-9-]/gi, '-').slice(0, 100);
}
