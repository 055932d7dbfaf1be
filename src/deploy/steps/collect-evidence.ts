/** Collects evidence on a failed droplet before anything is done to it. */
import type { RemoteCommand } from '../../ports.js';
import { causeOf, isSick, judgeHealth } from '../../rollout/health.js';
import type { Evidence } from '../../rollout/model.js';
import { command, quote } from '../core/shell.js';
import { loadContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import type { StepContext, StepResult } from './run.js';

function logsCommand(app: string, containerIds: readonly string[]): RemoteCommand {
  const logs = containerIds.map(
    // Standard output and error come one after the other; by their timestamps they are what the container said.
    (id) => `echo '--- ${id}'; docker logs --timestamps --tail 50 ${quote(id)} 2>&1 | LC_ALL=C sort -s -k1,1`,
  );
  return command('logs', { app, containerIds }, [...logs, 'exit 0'], { mayBeCut: true, reads: true });
}

const LOG_LINES = 50;

const LINE_LENGTH = 500;

/** A disk this full, in percent, is reported as a possible cause. */
const NEARLY_FULL = 85;

/** A crash loop is inspected up to ten times, to see it between two starts. */
const MAX_INSPECTIONS = 10;

const INSPECT_EVERY_MS = 300;

/** Where the containers show no cause, it is the failure's own sentence. */
export async function collectEvidence(member: Member, run: StepContext): Promise<StepResult> {
  const now = await inspectBetweenStarts(member, run);
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
  const evidence: Evidence = {
    cause: verdict.kind === 'failed' ? verdict.cause : (causeOf(member.containers) ?? run.failure ?? 'unknown'),
    containers: shown.map((container) => ({
      service: container.service,
      state: container.state,
      health: container.health,
      exitCode: container.state === 'running' ? undefined : container.exitCode,
      oomKilled: container.oomKilled || undefined,
      restarts: container.restarts,
      healthOutput: container.healthOutput ? [container.healthOutput] : undefined,
      log: logs.get(container.id) ?? [],
    })),
    disk: diskOf(member),
  };
  return { evidence };
}

/** Docker forgets a container's exit code, and that it ran out of memory, when it starts the container again. */
async function inspectBetweenStarts(member: Member, run: StepContext): Promise<number> {
  for (let inspection = 1; ; inspection += 1) {
    const now = await loadContainers(member, run.settings.app);
    const looping = member.containers.some((one) => one.state === 'running' && one.restarts > 0);
    const ended = member.containers.some((one) => one.state !== 'running' && isSick(one));
    if (!looping || ended || inspection === MAX_INSPECTIONS) return now;
    await run.ports.clock.sleep(INSPECT_EVERY_MS, run.signal);
  }
}

function diskOf({ survey: { diskUsed } }: Member): string | undefined {
  const isFull = diskUsed !== undefined && Number.parseInt(diskUsed, 10) >= NEARLY_FULL;
  return isFull ? `${diskUsed} of Docker's disk used when the deploy began` : undefined;
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
      // The timestamp was for sorting.
      lines.push(line.replace(/^\d{4}-\d\d-\d\dT\S+ ?/, '').slice(0, LINE_LENGTH));
      if (lines.length > LOG_LINES) lines.shift();
    }
  }
  return logs;
}
