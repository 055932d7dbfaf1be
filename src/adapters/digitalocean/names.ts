/**
 * dots-wrapper puts ids and tags into paths unchanged: "../account" or "a?b" would address something else. So they are
 * checked first.
 */
import { CloudError } from '../../errors.js';

export function checkLoadBalancerId(id: string): void {
  if (/^[0-9a-zA-Z-]{1,64}$/.test(id)) return;
  throw unusable(`"${id}" is not a load balancer id.`, 'An id looks like 4de7ac8b-495b-4884-9a69-1050c6793cd6.');
}

export function checkPoolId(id: string): void {
  if (/^[0-9a-zA-Z-]{1,64}$/.test(id)) return;
  throw unusable(`"${id}" is not an autoscale pool id.`, 'An id looks like 0d3db13e-a604-4944-9827-7ec2642d32ac.');
}

export function checkDropletId(id: number): void {
  if (Number.isSafeInteger(id) && id > 0) return;
  throw unusable(`"${id}" is not a droplet id.`, 'An id is a whole number such as 3164444.');
}

export function checkRegistryName(name: string): void {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return;
  throw unusable(`"${name}" is not the name of a registry.`, 'A name consists of small letters, digits and dashes.');
}

/** The API's own rule for tags. */
export function checkTag(tag: string): void {
  if (/^[a-zA-Z0-9_:-]{1,255}$/.test(tag)) return;
  throw unusable(
    `"${tag}" is not a valid DigitalOcean tag.`,
    'A tag consists of 1 to 255 letters a-z, digits, colons, dashes and underscores.',
  );
}

function unusable(message: string, hint: string): CloudError {
  return new CloudError('unprocessable', 'not-applied', message, { source: 'user', hint });
}
