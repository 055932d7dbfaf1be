/** What compose on a droplet makes of the declared variables and secrets. No message contains a value. */
import { z } from 'zod';
import type { ReadVariable } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { type ReportingPorts, warn } from '../core/report.js';
import { loginTo, type Member } from '../droplet/member.js';
import { DECLARED } from './unpack-command.js';

/** `docker compose config` prints a compose file again, in which a dollar sign is doubled. */
const doubled = (text: string) => text.replaceAll('$', '$$$$');

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
    const there = Object.hasOwn(read, name) ? read[name] : undefined;
    return there !== undefined && there !== doubled(value.reveal());
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

/**
 * Warns about secrets that no service has by name or by value: they reach the droplets, and no container.
 * @param stdout as above: without services whose profiles are off
 * @param composeFiles the files as they are written, with all services
 */
export function warnAboutUnused(
  ports: ReportingPorts,
  stdout: string,
  variables: readonly ReadVariable[],
  composeFiles: string,
): void {
  const { [DECLARED]: _, ...project } = JSON.parse(stdout);
  const text = JSON.stringify(project);
  const written = new Set(composeFiles.replaceAll(/^\s*#.*$/gm, '').match(/\w+/g));
  const isUsed = ({ name, value }: ReadVariable) =>
    written.has(name) ||
    text.includes(JSON.stringify(name)) ||
    text.includes(JSON.stringify(doubled(value.reveal())).slice(1, -1));
  for (const secret of variables) {
    if (!secret.isSecret || isUsed(secret)) continue;
    const remedy = `Write \`environment: [${secret.name}]\` in the service that needs it.`;
    warn(ports, `${secret.place}: no service in the compose files uses the secret ${secret.name}. ${remedy}`);
  }
}
