/** What handlers of events may do on the droplets of a session. */
import { z } from 'zod';
import { DeployError } from '../../errors.js';
import type { LifecycleEvent, LifecyclePayload, ProcessAction } from '../../rollout/lifecycle.js';
import { LineFeed, textLines } from '../core/line-feed.js';
import { errorLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import type { HandlerVerbs } from '../core/raise-event.js';
import { type Member, ownCopy } from '../droplet/member.js';
import { changeDroplet } from '../lease/change-droplet.js';
import type { Goal } from './goal.js';
import { graceOf, oneOffCommand, processCommand } from './one-off-commands.js';
import { type Perform, runOnce } from './run-once.js';
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
      const what = { service, words };
      const perform: Perform = async (member, command, { feed, signal = stop }) => {
        await run.lease.ensure(member.droplet.id);
        const result = await changeDroplet(member, command, { signal, observe: () => feed.start() });
        feed.end();
        return result;
      };
      if (options.once !== undefined) {
        const { once, ...others } = options;
        const watch = (now: typeof left) => {
          left = now;
        };
        return await runOnce(session, own, what, { ...others, once }, perform, watch);
      }
      const release = ownCopy(first, goal.own?.get(first.droplet.id) ?? goal.release);
      const feed = new LineFeed(textLines, (line) => options.onLine?.(line, 'program'));
      const { code, stdout, stderr } = await perform(first, oneOffCommand(release, run.id, what), {
        feed,
        signal: options.signal,
      });
      return { code, output: `${stdout}${stderr}`, done: 'now' };
    },
    async process(service, action) {
      const { run, own, goal } = now();
      refuseUnknown(service, own, goal);
      refuseWrongAction(action);
      // A droplet that leaves runs everything again when it is back. At other events, a layer may mean to stop a service.
      const owed = event === 'before_leave' && action !== 'start' && action !== 'restart';
      const reached = await inParallel(own, async (member) => {
        await run.lease.ensure(member.droplet.id);
        const command = processCommand(run.settings.app, run.id, { service, action, owed });
        if (owed) handle(member, service, action);
        const { code, stdout, stderr } = await changeDroplet(member, command, { signal: stop });
        if (code !== 0) throw new Error(`${member.host.name}: ${errorLine(stderr, `exit code ${code}`)}`);
        return Number.parseInt(stdout, 10) || 0;
      });
      const ofService = own.flatMap(({ services }) => services.filter(({ name }) => name === service));
      return { reached: sum(reached), expected: sum(ofService.map(({ replicas }) => replicas)) };
    },
  };
}

const GRACE = z.number().min(0).max(3_600_000);
const ACTION: z.ZodType<ProcessAction> = z.union([
  z.enum(['start', 'restart', 'stop']),
  z.strictObject({ stop: z.strictObject({ graceMs: GRACE }) }),
  z.strictObject({ signal: z.string().regex(SIGNAL), graceMs: GRACE.optional() }),
]);

/** Layers in JavaScript have no types, and may pass what their settings say. Throws DeployError layer-misused. */
function refuseWrongAction(action: unknown): void {
  if (ACTION.safeParse(action).success) return;
  const wanted = "'start', 'restart', 'stop', { stop: { graceMs } } or { signal, graceMs }";
  const given = JSON.stringify(action)?.slice(0, 100);
  throw new DeployError('layer-misused', `${given} is not an action for processes: ${wanted}`, { source: 'user' });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** As `processCommand` writes it down. */
function handle(member: Member, service: string, action: ProcessAction): void {
  const { handled = new Map() } = member;
  member.handled = new Map(handled).set(service, graceOf(action) ?? handled.get(service));
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
