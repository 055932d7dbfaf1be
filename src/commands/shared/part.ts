import { usage } from '../../cli/usage-errors.js';
import { doDeploy } from '../../deploy/core/do-deploy.js';
import type { Part } from '../../deploy/session/canary.js';

/** Which part of the fleet the options name; undefined: all of it. Throws DeployError usage. */
export function partOf({
  environment,
  config,
  set,
  release,
  canary,
  droplets,
  skipUnreachable,
  yes = false,
}: {
  environment: string;
  config?: string | undefined;
  set?: readonly string[];
  release: string | undefined;
  canary: number | boolean;
  droplets: readonly string[];
  skipUnreachable: boolean;
  yes?: boolean;
}): Part | undefined {
  if (canary === false && droplets.length === 0) return undefined;
  const command = (...more: string[]) =>
    doDeploy(
      { environment, config, set },
      'deploy',
      ...(release === undefined ? [] : [release]),
      ...more,
      ...yesWords(yes),
    );
  if (canary !== false && droplets.length > 0)
    throw usage('Give --canary or --droplets, not both.', command('--droplets', droplets.join(',')));
  if (skipUnreachable)
    throw usage(
      'A canary needs every droplet to answer. Leave out --skip-unreachable.',
      command('--canary', ...(typeof canary === 'number' ? [String(canary)] : [])),
    );
  if (canary === false) return { droplets };
  return { canary: canary === true ? 'first batch' : canary };
}

/** So that a command to type instead asks as little as the one that was typed. */
export function yesWords(yes: boolean): string[] {
  return yes ? ['--yes'] : [];
}
