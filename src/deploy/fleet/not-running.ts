import { DeployError } from '../../errors.js';
import type { Droplet } from '../../ports.js';

export function powerOn(id: number): string {
  return `doctl compute droplet-action power-on ${id}`;
}

export function notRunning({ id, name, status }: Droplet): DeployError {
  const remedy = status === 'off' ? ` Power it on: ${powerOn(id)}` : '';
  return new DeployError('droplet-off', `${name} is ${status}.${remedy}`);
}
