import { flag } from '../../cli/arguments.js';

/** For `tag` and for a deploy with --create-tag. */
export const allowEmpty = flag({ describe: 'Make an empty commit if there is nothing to commit' });
