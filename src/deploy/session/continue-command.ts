import type { ReleaseInfo } from '../../rollout/model.js';
import type { Session } from './session.js';

/** The command that continues a rollout. */
export function continueCommand(
  command: Session['command'],
  environment: string,
  { id, imageTag }: Pick<ReleaseInfo, 'id' | 'imageTag'>,
): string {
  switch (command) {
    case 'deploy':
      return `do-deploy ${environment} ${imageTag}`;
    case 'rollback':
      return ['do-deploy rollback', environment, id || imageTag].filter(Boolean).join(' ');
    default:
      return `do-deploy ${command} ${environment}`;
  }
}
