/** Where the guards of changes lie, each with the name of its action; see guard-commands.ts. */
export const GUARDS = '/run/do-deploy/guard-';

/** Lines that print `pending ACTION` for each change that is still to be taken back. */
export const PENDING_GUARDS = [
  `for guard in ${GUARDS}*; do`,
  '  if [ -d "$guard" ] && [ "$(readlink "$guard/decided")" != kept ] && [ ! -e "$guard/undone" ]; then',
  `    echo "pending \${guard##*/guard-}"`,
  '  fi',
  'done',
];
