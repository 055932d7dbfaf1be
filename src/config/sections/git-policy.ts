import { BRANCH } from '../names.js';
import { defineSection } from '../section.js';
import { bool, text } from '../values.js';

/** What must be true, or be confirmed, before anything is deployed. */
export const gitPolicy = defineSection({
  keys: {
    confirm: bool().meta({
      description:
        'Ask before a deploy, `rollback` or `heal`, and show what it changes. Without a terminal it needs `--yes` or CI. By default only for an environment named production.',
      examples: [true, false],
    }),
    protected: bool().meta({
      description:
        'Ask for the name of the environment before any command that changes its droplets or breaks its lock, also with `--yes`. Without a terminal, and in CI, it needs `--confirm-environment NAME`. See [rollout.md](rollout.md#protected-environments).',
      default: false,
      examples: [true],
    }),
    require_clean: bool().meta({
      description: 'Deploy only when `git status` is clean: no uncommitted change, no new file.',
      default: false,
      examples: [true],
    }),
    deploy_from: text("must be a branch's name", BRANCH).meta({
      description:
        'Deploy only from this branch. A detached HEAD (as in CI) and a RELEASE that is in git must be contained in the branch, here or at a remote.',
      examples: ['main'],
    }),
  },
  resolve: (written, { environment }) => ({
    confirm: written.confirm ?? environment === 'production',
    isProtected: written.protected ?? false,
    requireClean: written.require_clean ?? false,
    deployFrom: written.deploy_from,
  }),
});
