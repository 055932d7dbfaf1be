import { type DeployError, type ErrorInfo, NOT_CONFIRMED } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';

export const EXIT = {
  ok: 0,
  failed: 1,
  /** Wrong arguments or configuration, a missing --yes or --confirm: nothing was changed. */
  usage: 2,
  /** Another deploy is running. */
  leaseHeld: 3,
  /** `status --check` found droplets that differ from their release. */
  drift: 4,
  /** `bootstrap --check` found something to do. */
  changes: 5,
  /** Of commands that run a program, whose exit code they have otherwise: it was not run, or how it ended is not known. */
  notRun: 255,
  /** A signal, or a question that was not answered with yes. */
  interrupted: 130,
} as const;

/** Exit codes that every command has. A command declares its other ones. */
export const COMMON_EXITS: Readonly<Record<number, string>> = {
  [EXIT.ok]: 'done, or nothing to do',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'wrong arguments or configuration',
};

export function exitCodeOfError(error: DeployError | ErrorInfo): number {
  if (error.code === 'lease-held') return EXIT.leaseHeld;
  if (error.code === 'interrupted') return EXIT.interrupted;
  // Once droplets have changed, its source is another.
  if (error.code === NOT_CONFIRMED && error.source === 'user') return EXIT.interrupted;
  return error.source === 'user' ? EXIT.usage : EXIT.failed;
}

export function exitCodeOfResult({ outcome, error }: DeployResult): number {
  if (outcome === 'succeeded' || outcome === 'skipped') return EXIT.ok;
  if (outcome === 'interrupted') return EXIT.interrupted;
  return error === undefined ? EXIT.failed : exitCodeOfError(error);
}
