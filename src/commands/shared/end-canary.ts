/** `promote` and `abort`: what they ask, and what they then do. */
import type { CommandContext, CommandEnd } from '../../cli/define-command.js';
import { changeOptions, confirmOption, environment, migrateOption, rolloutExits } from '../../cli/options.js';
import type { RollArguments } from '../../cli/roll.js';
import type { LoadedSettings } from '../../config/load.js';
import { versionWords } from '../../reporters/phrases.js';
import { ifConfirmed } from './confirm.js';

type Context = CommandContext & {
  settings: LoadedSettings;
  args: RollArguments & { environment: string; yes: boolean; confirmEnvironment?: string | undefined };
};

/** What both declare. */
export const ofEndings = {
  positionals: { environment },
  options: { ...confirmOption, ...changeOptions, ...migrateOption },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
} as const;

export async function endCanary(context: Context, ends: 'promote' | 'abort'): Promise<CommandEnd> {
  const { args, settings, show, ports, roll } = context;
  const { findCanary, ...rollouts } = await import('../../deploy/rollouts/end-canary.js');
  const question = async () => {
    const [{ infoOf }, { namesOf }] = await Promise.all([
      import('../../deploy/release/stored-release.js'),
      import('../../deploy/droplet/held-releases.js'),
    ]);
    const { canary, release } = await findCanary(await ports(settings), { settings, ends });
    const names = namesOf(canary.members);
    const version = versionWords(infoOf(release));
    show({ type: 'text', lines: [`  canary  ${canary.release?.imageTag ?? 'unknown'} on ${names}`] });
    return ends === 'promote'
      ? `Deploy ${version} to the rest of ${args.environment}?`
      : `Take ${names} back to ${version}?`;
  };
  return await ifConfirmed(context, settings, question, () => roll(settings, args, rollouts[ends]));
}
