import type { Clock } from '../../ports.js';
import { isStarting } from '../../rollout/health.js';
import { pollPause } from '../core/polling.js';
import { refreshContainers } from './containers.js';
import type { Member } from './member.js';

const POLL_MS = 500;

/**
 * Waits while containers that were just started may still become healthy. Returns the time at which they were
 * read, by the droplet's clock.
 */
export async function awaitStart(
  member: Member,
  clock: Clock,
  { app, timeoutMs }: { app: string; timeoutMs: number },
): Promise<number | undefined> {
  const startedAt = clock.now();
  let now = member.survey.containers?.now;
  while (now !== undefined && isStarting(member.services, member.containers, now)) {
    const waitedMs = clock.now() - startedAt;
    if (waitedMs >= timeoutMs) break;
    await clock.sleep(pollPause(waitedMs, POLL_MS));
    now = await refreshContainers(member, app);
  }
  return now;
}
