/** Collects what a failed droplet has to say, before anything is done to it. */
import type { RemoteCommand } from '../../ports.js';
import { causeOf, isSick, judgeHealth } from '../../rollout/health.js';
import type { Evidence } from '../../rollout/model.js';
import { command, quote } from '../core/shell.js';
import { loadContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import type { StepContext } from './run.js';
export function logsCommand(app: string, containerIds: readonly string[]): RemoteCommand {
  const logs = containerIds.map(
    // Standard output and error come one after the other; by their timestamps they are what the container said.
    (id) => `echo '--- ${id}'; docker logs --timestamps --tail 50 ${quote(id)} 2>&1 | LC_ALL=C sort -s -k1,1`,
  );
  return command('logs', { app, containerIds }, [...logs, 'exit 0'], { mayBeCut: true });
}

const LOG_LINES = 50;

const LINE_LENGTH = 500;

/** A disk this full, in percent, may be the reason. */
const NEARLY_FULL = 85;

/** Looks at a crash loop until it is seen between two starts. */
const LOOKS = 10;

const LOOK_EVERY_MS = 300;

/** @param cause the failure's own sentence, used when the containers show none */
export async function collectEvidence(member: Member, run: StepContext, cause: string): Promise<Evidence> {
  const now = await lookAtItsEnd(member, run);
  const verdict = judgeHealth(member.services, member.containers, now);
  const sick = member.containers.filter(isSick);
  const shown = sick.length > 0 ? sick : member.containers;
  const { stdout } = await member.connection.run(
    logsCommand(
      run.settings.app,
      shown.map((one) => one.id),
    ),
  );
  const logs = splitLogs(stdout);
  return {
    cause: verdict.kind === 'failed' ? verdict.cause : (causeOf(member.containers) ?? cause),
    containers: shown.map((container) => ({
      service: container.service,
      state: container.state,
      ...(container.health && { health: container.health }),
      ...(container.state !== 'running' && { exitCode: container.exitCode }),
      ...(container.oomKilled && { oomKilled: true }),
      restarts: container.restarts,
      ...(container.healthOutput && { healthOutput: [container.healthOutput] }),
      log: logs.get(container.id) ?? [],
    })),
    ...diskOf(member),
  };
}

/** Docker forgets a container's exit code, and that it ran out of memory, as soon as it starts it again. */
async function lookAtItsEnd(member: Member, run: StepContext): Promise<number> {
  for (let look = 1; ; look += 1) {
    const now = await loadContainers(member, run.settings.app);
    const looping = member.containers.some((one) => one.state === 'running' && one.restarts > 0);
    const ended = member.containers.some((one) => one.state !== 'running' && isSick(one));
    if (!looping || ended || look === LOOKS) return now;
    await run.ports.clock.sleep(LOOK_EVERY_MS, run.signal);
  }
}

function diskOf({ survey: { diskUsed } }: Member): { disk?: string } {
  const isFull = diskUsed !== undefined && Number.parseInt(diskUsed, 10) >= NEARLY_FULL;
  return isFull ? { disk: `${diskUsed} of Docker’s disk used when the deploy began` } : {};
}

function splitLogs(stdout: string): Map<string, string[]> {
  const logs = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of stdout.split('\n')) {
    const heading = /^--- ([0-9a-f]{12,64})$/.exec(line);
    if (heading?.[1]) {
      lines = [];
      logs.set(heading[1], lines);
    } else if (line.trim() !== '') {
      // Docker's timestamp has done its work: the lines are in order.
      lines.push(line.replace(/^\d{4}-\d\d-\d\dT\S+ ?/, '').slice(0, LINE_LENGTH));
      if (lines.length > LOG_LINES) lines.shift();
    }
  }
  return logs;
}
