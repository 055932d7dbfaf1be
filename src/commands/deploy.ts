import { flag, text } from '../cli/arguments.js';
import { type CommandContext, defineCommand } from '../cli/define-command.js';
import {
  changeOptions,
  confirmOption,
  environment,
  freezeOption,
  migrateOption,
  partOptions,
  rolloutExits,
  skipOptions,
} from '../cli/options.js';
import { usage } from '../cli/usage-errors.js';
import type { LoadedSettings } from '../config/load.js';
import { COMMAND_NAMES, IMAGE_TAG } from '../config/names.js';
import { doDeploy } from '../deploy/core/do-deploy.js';
import type { Part } from '../deploy/session/canary.js';
import { count } from '../reporters/text.js';
import { confirmation, nothing } from './shared/confirm.js';
import { partOf, yesWords } from './shared/part.js';
import { allowEmpty } from './shared/tag-options.js';

export default defineCommand({
  name: 'deploy',
  topic: 'deploy',
  summary: 'Deploy a release, one droplet at a time',
  description:
    'Every droplet gets the release while all of them serve. Then, one by one, they leave rotation, start it,\nbecome healthy and rejoin. The word deploy may be left out.',
  examples: [
    ['staging', 'deploy the working tree to staging, with the image tag of config/deploy.yml'],
    ['production v1.4.2', 'deploy the images tagged v1.4.2, with the files of that version in git'],
    ['production v1.4.3 --create-tag', 'tag the working tree v1.4.3 first'],
    ['production v1.4.3 --canary', 'deploy to the first batch of droplets only, then hold'],
  ],
  positionals: {
    environment,
    release: text({
      describe: 'Value of IMAGE_TAG. If git has a tag or commit of this name, also the version of the files',
      pattern: { regexp: IMAGE_TAG, expected: 'an image tag: letters a-z, digits and . _ -', example: 'v1.4.2' },
    }),
  },
  options: {
    ...confirmOption,
    ...changeOptions,
    ...freezeOption,
    ...skipOptions,
    ...partOptions,
    skipFirstCheck: flag({ describe: 'Deploy although what runs now does not answer `rollout.health.http`' }),
    force: flag({ describe: 'Deploy even if this release is already running' }),
    createTag: flag({ describe: 'Tag the working tree as RELEASE first, as the command tag does' }),
    ...migrateOption,
    allowEmpty,
    workingTree: flag({ describe: 'Take the files of the working tree even if git has RELEASE' }),
  },
  rolls: true,
  settings: 'none',
  exits: rolloutExits,
  async run(context) {
    const { args, show, ports, roll } = context;
    const { release, force } = args;
    if (args.createTag && release === undefined) {
      throw usage(
        '--create-tag needs RELEASE.',
        doDeploy(args, 'deploy', 'v1.4.2', '--create-tag', ...yesWords(args.yes)),
      );
    }
    if (args.allowEmpty && !args.createTag) {
      const tag = ['--create-tag', '--allow-empty', ...yesWords(args.yes)];
      const line = doDeploy(args, 'deploy', release ?? 'v1.4.2', ...tag);
      throw usage('--allow-empty needs --create-tag.', line);
    }
    if (args.createTag && release !== undefined && !(await createTag(context, release, args))) {
      return nothing('committed, tagged or deployed');
    }
    partOf(args);
    const [{ loadSource }, { checkPolicy }] = await Promise.all([
      import('../cli/source.js'),
      import('../deploy/release/version-policy.js'),
    ]);
    const { settings, repository, version, commit, notice } = await loadSource(context, args);
    // Words in the wrong order would stage an image tag of that name.
    if (release !== undefined && COMMAND_NAMES.includes(release) && version.from !== 'commit') {
      throw usage(`${release} is a command, and git has no version of that name.`, doDeploy(args, release));
    }
    checkPolicy(settings, repository, version);
    const imageTag = release ?? settings.imageTag;
    if (settings.warnings !== undefined) await warnAbout(context, settings, settings.warnings);
    const confirm = confirmation(context, settings);
    if (confirm !== undefined) {
      const { previewLines } = await import('./shared/preview.js');
      const next = { imageTag, ...commit };
      show({ type: 'text', lines: await previewLines(await ports(settings), settings, next, repository) });
      const where = partWords(partOf(args));
      if (!(await confirm(`Deploy ${settings.app} ${imageTag} to ${where}${args.environment}?`)))
        return nothing('deployed');
    }
    const [{ deploy }, { reportTo }] = await Promise.all([
      import('../deploy/rollouts/deploy.js'),
      import('../deploy/core/report.js'),
    ]);
    return await roll(settings, args, (ports, options) => {
      if (notice !== undefined) reportTo(ports)({ type: 'notice', ...notice });
      return deploy(ports, { ...options, part: partOf(args), releaseRef: release, commit, imageTag, force });
    });
  },
});

/** "2 droplets of " */
function partWords(part: Part | undefined): string {
  if (part === undefined) return '';
  if ('droplets' in part) return `${part.droplets.join(', ')} of `;
  return part.canary === 'first batch' ? 'the first batch of ' : `${count(part.canary, 'droplet')} of `;
}

async function warnAbout(
  { ports, clock }: CommandContext,
  settings: LoadedSettings,
  warnings: readonly string[],
): Promise<void> {
  const [{ reporter }, { warn }] = await Promise.all([ports(settings), import('../deploy/core/report.js')]);
  for (const message of warnings) warn({ clock, reporter }, message);
}

/** `--create-tag`, once the rest is known to be in order. False: the answer was no. */
async function createTag(
  context: CommandContext,
  release: string,
  args: { environment: string; yes: boolean; allowEmpty: boolean },
): Promise<boolean> {
  const [{ loadSource, requireRepository }, { checkBranch }, { makeTag }] = await Promise.all([
    import('../cli/source.js'),
    import('../deploy/release/version-policy.js'),
    import('./shared/make-tag.js'),
  ]);
  const { environment } = args;
  const { settings, repository, version } = await loadSource(context, { environment, workingTree: true });
  checkBranch(settings, repository, version);
  const again = [environment, release, '--create-tag', '--yes'];
  const options = { ...args, all: false };
  const tagged = await makeTag(context, repository ?? requireRepository(context), release, options, again);
  if (tagged !== undefined) context.show({ type: 'tagged', ...tagged });
  return tagged !== undefined;
}
