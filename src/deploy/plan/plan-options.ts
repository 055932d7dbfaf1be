/** What a plan is asked for. */
import type { CommitInfo } from '../../rollout/model.js';
import type { PlanFinding } from '../../rollout/plan.js';
import type { SessionOptions } from '../session/session.js';
import type { ReadText } from './wanted.js';

export interface PlanOptions
  extends Pick<SessionOptions, 'settings' | 'allowDowntime' | 'part' | 'skip' | 'handlers' | 'again'> {
  command: 'deploy' | 'rollback';
  /** IMAGE_TAG of a deploy. */
  imageTag: string;
  commit?: CommitInfo | undefined;
  force: boolean;
  /** Of a rollback, as its options have it. */
  wanted?: string | undefined;
  read: ReadText;
  /** What was found before the fleet was looked at. */
  findings: readonly PlanFinding[];
}
