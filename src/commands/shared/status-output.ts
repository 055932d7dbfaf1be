/** What `status` says of what was read: with the commands that lead on. */
import type { LoadedSettings } from '../../config/load.js';
import { doDeploy } from '../../deploy/core/do-deploy.js';
import type { DriftReport } from '../../deploy/inspect/check-drift.js';
import { finishWords, waysOutOf } from '../../deploy/session/canary.js';
import { releasesSentence } from '../../deploy/session/ways.js';
import type { Output } from '../../reporters/output.js';
import type { StatusRow } from '../../rollout/model.js';
import { isCanaryWell } from '../../rollout/status-rows.js';

type Of = Pick<LoadedSettings, 'app' | 'environment' | 'config' | 'set' | 'roles'>;

export function statusOutput(settings: Of, rows: StatusRow[]): Extract<Output, { type: 'status' }> {
  const heading = `${settings.app}: ${settings.environment}`;
  const command = (name: string, ...words: string[]) => doDeploy(settings, name, ...words);
  const held = rows.find(({ canary }) => canary);
  const before = rows.find(({ canary, imageTag }) => !canary && imageTag !== undefined);
  const ways = waysOutOf({ tag: held?.canaryTag, before: before?.imageTag }, settings);
  const size = rows.filter(({ canary }) => canary).length;
  const finishing = finishWords(held?.canaryTag, size);
  // With roles, there is nothing to promote.
  const isSick = (settings.roles?.length ?? 0) < 2 && !isCanaryWell(rows);
  const running = rows.filter(({ release, byHand }) => release !== '' && byHand === undefined);
  const isDivided = held === undefined && new Set(running.map(({ release }) => release)).size > 1;
  const unbaked = rows.find((row) => row.unbaked);
  return {
    type: 'status',
    heading,
    rows,
    ...(isDivided && { dispute: releasesSentence(running), see: command('status', '--check') }),
    ...(rows.some(({ fix }) => fix !== undefined) && { next: command('heal') }),
    ...(unbaked?.imageTag !== undefined && { bake: owedBake(settings, unbaked.imageTag, unbaked.canary ? size : 0) }),
    ...(held && { ways: isSick ? { ...ways, forward: command('deploy', ...finishing) } : ways }),
  };
}

export function driftOutput(settings: Of, { unbaked, ...report }: DriftReport): Extract<Output, { type: 'drift' }> {
  const { app, environment } = settings;
  const fixes = { heal: doDeploy(settings, 'heal'), adopt: doDeploy(settings, 'adopt') };
  const { canary } = report;
  const size = canary !== undefined && canary.imageTag === unbaked?.imageTag ? canary.droplets.length : 0;
  const bake = unbaked && owedBake(settings, unbaked.imageTag, size);
  return { type: 'drift', app, environment, fixes, ...report, ...(bake && { bake }) };
}

/**
 * What makes up for a bake: the same deploy again.
 * @param size of the canary that has not baked; 0: it is the release of the fleet
 */
function owedBake(of: Of, imageTag: string, size: number): { imageTag: string; next: string } {
  return { imageTag, next: doDeploy(of, 'deploy', ...(size === 0 ? [imageTag] : finishWords(imageTag, size))) };
}
