import { flag, required, text } from '../../cli/arguments.js';
import { defineCommand } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { protectedOption } from '../../cli/options.js';
import { BRANCH } from '../../config/names.js';
import { quote } from '../../deploy/core/shell.js';

export default defineCommand({
  name: 'hook install',
  topic: 'set-up',
  summary: 'Prepare a bare git repository that deploys what is pushed',
  description:
    'Creates the repository, or completes one that is there. A push to the branch, or of a tag, then deploys, and shows\nthe pusher the output. It needs git and no environment: run it on the machine that is pushed to.',
  examples: [
    ['hook install shop.git production', 'deploy pushes to main, and tags like v1.4.2'],
    ['hook install shop.git staging --branch dev', 'deploy the branch dev to staging'],
  ],
  positionals: {
    path: required(text({ describe: 'The folder of the repository' })),
    environment: text({ describe: 'An environment of config/deploy.yml in what is pushed (default: production)' }),
  },
  options: {
    branch: text({
      value: 'NAME',
      describe: 'The branch that is deployed (default: main)',
      pattern: { regexp: BRANCH, expected: 'the name of a branch', example: 'main' },
    }),
    tags: text({
      value: 'PATTERN',
      describe: 'Tags that are deployed, with * for any text; "" for none (default: v*)',
    }),
    byCommit: flag({ describe: "IMAGE_TAG of a push to the branch is the commit's hash (default: image_tag)" }),
    ...protectedOption,
  },
  settings: 'none',
  async run(context) {
    const { args } = context;
    const [{ createPushRepository, savePushSettings }, { packageMain }, { whatDeploys }] = await Promise.all([
      import('../../cli/push-repository.js'),
      import('../../cli/package-files.js'),
      import('../../rollout/pushed-refs.js'),
    ]);
    const { branch = 'main', tags = 'v*', environment = 'production', byCommit, confirmEnvironment } = args;
    const repository = createPushRepository(args.path, branch, context);
    // The PATH of a hook is that of sshd.
    repository.installHook([process.execPath, packageMain(), 'hook', 'run', repository.path].map(quote).join(' '));
    const settings = { branch, tags, environment, byCommit, confirmEnvironment };
    savePushSettings(repository, settings);
    const lines = [
      `${repository.path} is ready. ${whatDeploys(settings)}`,
      `Files that are not in git, such as config/.env with DO_TOKEN, belong below ${repository.privateFiles}`,
      `In your clone: git remote add deploy USER@HOST:${quote(repository.path)}; git push deploy ${branch}`,
    ];
    return { exit: EXIT.ok, output: { type: 'text', lines } };
  },
});
