/** Whether compose on a droplet reads the declared variables as do-deploy did. No message contains a value. */
import { z } from 'zod';
import type { ReadVariable } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { loginTo, type Member } from '../droplet/member.js';
import { DECLARED } from './unpack-command.js';

const answer = z.object({ [DECLARED]: z.record(z.string(), z.string()).optional() });

/**
 * A droplet whose own environment sets a variable would run with that value, not with the one that was checked.
 * @param stdout of `docker compose config --format json`, from the command of `unpackCommand`
 * Throws DeployError variable-differs.
 */
export function refuseOtherValues(member: Member, stdout: string, variables: readonly ReadVariable[]): void {
  if (variables.length === 0) return;
  // A compose that does not print extensions says nothing about them.
  const read = answer.safeParse(JSON.parse(stdout)).data?.[DECLARED] ?? {};
  const different = variables.filter(({ name, value }) => {
    // The output is a compose file again, in which a dollar sign is doubled.
    const there = Object.hasOwn(read, name) ? read[name]?.replaceAll('$$', '$') : undefined;
    return there !== undefined && there !== value.reveal();
  });
  const [first] = different;
  if (first === undefined) return;
  const names = different.map(({ name, place }) => `${name} (${place})`).join(', ');
  const droplet = member.host.name;
  throw new DeployError('variable-differs', `On ${droplet}, compose reads another value than do-deploy of ${names}.`, {
    source: 'user',
    droplet,
    hint: `A variable of the login there comes before every env file. See whether it is set: ${loginTo(member)} 'printenv ${first.name} | wc -c'`,
  });
}
