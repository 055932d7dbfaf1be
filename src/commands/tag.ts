import { flag, required, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { confirmExits, confirmOption } from '../cli/options.js';
import { allowEmpty } from './shared/tag-options.js';

export default defineCommand({
  name: 'tag',
  topic: 'version',
  summary: 'Tag the current state in git, after committing what is staged',
  description: 'Creates an annotated tag "version NAME". It never pushes.',
  examples: [
    ['tag v1.4.2', 'commit what is staged and tag it v1.4.2'],
    ['tag v1.4.2 --all --yes', 'commit every change, new files included, without asking'],
  ],
  positionals: { name: required(text({ describe: 'The name of the tag, for example v1.4.2' })) },
  options: {
    ...confirmOption,
    all: flag({ describe: 'Also commit changes that are not staged, new files included' }),
    allowEmpty,
  },
  settings: 'none',
  exits: confirmExits,
  async run(context) {
    const { args } = context;
    const [{ requireRepository }, { makeTag }] = await Promise.all([
      import('../cli/source.js'),
      import('./shared/make-tag.js'),
    ]);
    const again = ['tag', args.name, ...(args.all ? ['--all'] : []), '--yes'];
    const tagged = await makeTag(context, requireRepository(context), args.name, args, again);
    if (tagged === undefined) {
      return { exit: EXIT.interrupted, output: { type: 'text', lines: ['Nothing was committed or tagged.'] } };
    }
    return { exit: EXIT.ok, output: { type: 'tagged', ...tagged } };
  },
});
