import type { DeployError, ErrorInfo } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';

/** What the process tells its caller. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** A wrong argument or configuration: nothing was changed. */
  usage: 2,
  /** Somebody else is deploying. */
  leaseHeld: 3,
  /** `status --check` found droplets that differ. */
  drift: 4,
  interrupted: 130,
} as const;

export function exitCodeOfError(error: DeployError | ErrorInfo): number {
  if (error.code === 'lease-held') return EXIT.leaseHeld;
  if (error.code === 'interrupted') return EXIT.interrupted;
  return error.source === 'user' ? EXIT.usage : EXIT.failed;
}

export function exitCodeOfResult({ outcome, error }: DeployResult): number {
  if (outcome === 'succeeded' || outcome === 'skipped') return EXIT.ok;
  if (outcome === 'interrupted') return EXIT.interrupted;
  return error === undefined ? EXIT.failed : exitCodeOfError(error);
}
