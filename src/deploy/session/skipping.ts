/** `--skip-unreachable`: droplets that are off or cannot be reached do not take part. */

import { DeployError } from '../../errors.js';
import type { Droplet } from '../../ports.js';
import type { DeployResult, StatusRow } from '../../rollout/model.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { powerOn } from '../fleet/not-running.js';
import { type Asking, again, askedOf, continueCommand } from './continue-command.js';
import type { Session } from './session.js';

/** Refuses droplets that are off, unless they are to be skipped. Throws DeployError droplet-off. */
export function refuseOff(session: Asking, droplets: readonly Droplet[]): void {
  const off = droplets.filter(({ status }) => status !== 'active');
  if (off.length === 0 || session.options.skip !== undefined) return;
  const names = off.map(({ name, status }) => `${name} (${status})`).join(', ');
  const on = off.flatMap(({ id, status }) => (status === 'off' ? [powerOn(id)] : []));
  const remedy = on.length === 0 ? 'Wait for them' : `Power them on (${on.join('; ')})`;
  const error = new DeployError('droplet-off', `Not every droplet is running: ${names}.`, {
    hint: `${remedy}, or remove them from ${placeOf(session)}.`,
  });
  throw withSkipping(error, session);
}

function placeOf({ options: { settings } }: Asking): string {
  if (settings.roles !== undefined) return 'the load balancer, the tag or the list of their role';
  switch (settings.target.kind) {
    case 'load_balancer':
      return 'the load balancer';
    case 'tag':
      return `the tag "${settings.target.tag}"`;
    default:
      return configFile(settings);
  }
}

/** A changed host key or a refused login is no outage: another machine may have answered. */
export function maySkip({ code }: DeployError): boolean {
  return code !== 'ssh-host-key' && code !== 'ssh-auth';
}

/** The error with the command that leaves out the droplet, where that is offered. */
export function withSkipping(error: DeployError, session: Asking): DeployError {
  if (!maySkip(error)) return error;
  const hint = [error.hint, `Or leave it out: ${again(session, '--skip-unreachable')}`].filter(Boolean).join(' ');
  const { code, message, source, droplet, step } = error;
  return new DeployError(code, message, { source, hint, droplet, step, cause: error });
}

export function skippedRows({ options, skipped, rows }: Session): StatusRow[] {
  if (options.skip === undefined) return [];
  return skipped.flatMap(({ droplet, error }): StatusRow[] => {
    const row = rows.find(({ id }) => id === droplet.id);
    return row === undefined ? [] : [{ ...row, health: 'unknown', outcome: 'skipped', detail: error.message }];
  });
}

/** A rollout that has left out droplets has not deployed to the fleet, unless the user has said that this is fine. */
export function withSkipped(session: Session, result: DeployResult): DeployResult {
  const { options, skipped, release } = session;
  const { skip, settings } = options;
  const [first] = skipped;
  const isDone = result.outcome === 'succeeded' || result.outcome === 'skipped';
  if (skip === undefined || first === undefined || !isDone) return result;
  const names = skipped.map(({ droplet }) => droplet.name).join(', ');
  const done = { restart: 'was restarted', stop: 'is done', start: 'is done' }[session.command as string];
  const next = done !== undefined ? continueCommand(askedOf(session), release) : doDeploy(settings, 'adopt');
  if (skip === 'ok') return { ...result, next: result.next ?? next };
  const message = `${names} ${skipped.length === 1 ? 'was' : 'were'} skipped: ${first.error.message}`;
  const error = new DeployError('droplets-skipped', message, {
    hint: `Every other droplet ${done ?? 'runs the release'}. Once the skipped ones answer: ${next}`,
  });
  return { ...result, outcome: 'failed', error: error.info(), next };
}
