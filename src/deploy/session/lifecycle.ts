/** The events of a session, for layers and hooks: their payloads, and what handlers may do on droplets. */
import { endingOf, type LifecycleEvent, type LifecyclePayload, onlyWarns } from '../../rollout/lifecycle.js';
import type { DeployResult } from '../../rollout/model.js';
import { inParallel } from '../core/parallel.js';
import { raiseEvent } from '../core/raise-event.js';
import { verbsOf } from './handler-verbs.js';
import type { Session } from './session.js';

type About = Pick<LifecyclePayload, 'droplet' | 'batch' | 'durationMs' | 'result'>;

/**
 * Raises an event. Throws DeployError layer-failed, or lease-lost: handlers may change what the next run of do-deploy has
 * already changed.
 * @param stop by default the first signal of the user
 */
export async function raise(
  session: Session,
  event: LifecycleEvent,
  about: About = {},
  stop: AbortSignal = session.options.interrupted,
): Promise<void> {
  const { handlers = [] } = session.options;
  if (!handlers.some((handler) => handler.event === event)) return;
  if (!onlyWarns(event)) await ensureLease(session, about.droplet);
  const verbs = verbsOf(session, event, about, stop);
  const raised = raiseEvent(session.ports, handlers, payloadOf(session, event, about), verbs, stop);
  session.raised.add(raised);
  try {
    await raised;
  } finally {
    session.raised.delete(raised);
  }
}

/** Never throws: what fails in an ending is a warning. The second signal ends its handlers, if it comes now. */
export async function raiseEnding(session: Session, result: DeployResult): Promise<void> {
  const { durationMs } = result;
  const { aborted } = session.options;
  const stop = aborted.aborted ? new AbortController().signal : aborted;
  await raise(session, endingOf(result), { durationMs, result }, stop);
}

/** @param droplet its name; by default every droplet of the session */
async function ensureLease({ run, members }: Session, droplet?: string): Promise<void> {
  if (run === undefined) return;
  const own = droplet === undefined ? members : members.filter(({ host }) => host.name === droplet);
  await inParallel(own, (member) => run.lease.ensure(member.droplet.id));
}

export function payloadOf(session: Session, event: LifecycleEvent, about: About): LifecyclePayload {
  const { command, release, previous, previousCommit, rows, ports, options } = session;
  const { settings, deployer } = options;
  return {
    event,
    at: new Date(ports.clock.now()).toISOString(),
    command,
    app: settings.app,
    environment: settings.environment,
    release,
    previous: [...previous],
    previousCommit,
    who: deployer.who,
    url: deployer.url,
    droplets: rows.map(({ name }) => name),
    ...about,
  };
}
