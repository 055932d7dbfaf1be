/** The events of a session, for layers and hooks: their payloads, and what handlers may do on droplets. */
import { endingOf, type LifecycleEvent, type LifecyclePayload } from '../../rollout/lifecycle.js';
import type { DeployResult } from '../../rollout/model.js';
import { raiseEvent } from '../core/raise-event.js';
import { verbsOf } from './handler-verbs.js';
import type { Session } from './session.js';

const NEVER = new AbortController().signal;

type About = Pick<LifecyclePayload, 'droplet' | 'batch' | 'durationMs' | 'result'>;

/**
 * Raises an event. Throws DeployError layer-failed.
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
  await raiseEvent(
    session.ports,
    handlers,
    payloadOf(session, event, about),
    verbsOf(session, event, about, stop),
    stop,
  );
}

/** Never throws: what fails in an ending is a warning. Signals do not stop it, but every handler has a timeout. */
export async function raiseEnding(session: Session, result: DeployResult): Promise<void> {
  const { durationMs } = result;
  await raise(session, endingOf(result), { durationMs, result }, NEVER);
}

function payloadOf(session: Session, event: LifecycleEvent, about: About): LifecyclePayload {
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
