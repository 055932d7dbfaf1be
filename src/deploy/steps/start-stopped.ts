/** Starts what layers have stopped on a droplet that returns as it was. */
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { wasStopped } from '../../rollout/health.js';
import { errorLine } from '../core/output-lines.js';
import { appFolder, command, quote } from '../core/shell.js';
import { refreshContainers } from '../droplet/containers.js';
import { loginTo, type Member } from '../droplet/member.js';
import { HANDLED } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import type { StepContext, StepResult } from './run.js';

/** Docker starts a container in a second; a container that still runs has its own time to stop before it starts again. */
const TIMEOUT_MS = 600_000;

/** Starts containers, restarts others that run, each with its time to stop, and forgets that layers have stopped or signalled them. */
export function startStoppedCommand(
  app: string,
  run: string,
  ids: { start: readonly string[]; restart: readonly { id: string; stopGraceMs?: number | undefined }[] },
): RemoteCommand {
  const { start, restart } = ids;
  const graceOf = ({ stopGraceMs: ms }: (typeof restart)[number]) =>
    ms === undefined ? '' : `--time ${Math.ceil(ms / 1_000)} `;
  const longestMs = restart.reduce((total, { stopGraceMs = 0 }) => total + stopGraceMs, 0);
  return command(
    'start-stopped',
    { app, run, ...ids },
    [
      'set -eu',
      `cd ${appFolder(app)}`,
      asHolder(app, run),
      start.length === 0 ? undefined : `docker start ${start.map(quote).join(' ')} >/dev/null`,
      ...restart.map((one) => `docker restart ${graceOf(one)}${quote(one.id)} >/dev/null`),
      `rm -f ${HANDLED}`,
    ],
    { timeoutMs: TIMEOUT_MS + longestMs },
  );
}

export async function startStopped(member: Member, run: StepContext): Promise<StepResult> {
  const { app } = run.settings;
  await refreshContainers(member, app);
  const stopped = member.containers.filter(wasStopped);
  const signalled = member.containers.filter(({ state, handled }) => handled === true && state === 'running');
  if (stopped.length + signalled.length === 0) return {};
  const ids = {
    start: stopped.map(({ id }) => id),
    restart: signalled.map(({ id, stopGraceMs }) => ({ id, stopGraceMs })),
  };
  const { code, stderr } = await changeDroplet(member, startStoppedCommand(app, run.id, ids));
  if (code !== 0) throw notStarted(member, errorLine(stderr, `exit code ${code}`));
  member.handled?.clear();
  return { detail: [...new Set([...stopped, ...signalled].map(({ service }) => service))].join(', ') };
}

function notStarted(member: Member, reason: string): DeployError {
  const { name } = member.host;
  return new DeployError('not-started', `What layers have stopped on ${name} did not start again: ${reason}`, {
    droplet: name,
    hint: `See what runs there: ${loginTo(member)} docker ps --all`,
  });
}
