/** Services that `do-deploy stop` has stopped, or stops. */
import { type Member, stoppedOn } from '../droplet/member.js';
import type { Stopping } from './run.js';

/** Names of the services that are stopped on the droplet once it runs the release. */
export function stoppedAfter(member: Member, release: string, stopping: Stopping | undefined): ReadonlySet<string> {
  const before = stoppedOn(member, release);
  switch (stopping?.kind) {
    case 'stop':
      return new Set([...before, stopping.service]);
    case 'start':
      return new Set([...before].filter((name) => name !== stopping.service));
    case 'start-all':
      return stopping.release === release ? new Set() : before;
    default:
      return before;
  }
}
