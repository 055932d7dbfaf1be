/** What becomes of services that `do-deploy stop` has stopped, said before a rollout begins. */
import type { DeployPorts } from '../core/deploy-ports.js';
import { inform } from '../core/report.js';
import { namesOf } from '../droplet/held-releases.js';
import { type Member, stoppedOn } from '../droplet/member.js';
import { stoppedAfter } from '../steps/stopping.js';
import { goalFor } from './goal.js';
import type { PlannedShare } from './roll-to-release.js';

/** Of the droplets that are rolled, except for the service that the command itself is about. */
export function reportStopped(ports: DeployPorts, { members, start, goal, run }: PlannedShare): void {
  const waiting = new Set(start.droplets.filter(({ course }) => course === 'waiting').map(({ id }) => id));
  const stay = new Map<string, Member[]>();
  const come = new Map<string, Member[]>();
  for (const member of members) {
    const { state } = member.survey;
    if (!waiting.has(member.droplet.id)) continue;
    const after = stoppedAfter(member, goalFor(goal, member.droplet.id).id, run.stopping);
    for (const service of stoppedOn(member, state?.stopped?.release)) {
      if (service === run.service) continue;
      const group = after.has(service) ? stay : come;
      group.set(service, [...(group.get(service) ?? []), member]);
    }
  }
  for (const [service, on] of stay) inform(ports, `${service} was stopped on ${namesOf(on)}, and stays so.`);
  for (const [service, on] of come) inform(ports, `${service} was stopped on ${namesOf(on)}: it starts again.`);
}
