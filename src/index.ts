/** What a program can import from do-deploy: the types of what `--json` writes, as docs/events.md describes it. */
export type { ErrorInfo, ErrorSource } from './errors.js';
export type { Difference } from './rollout/drift.js';
export type {
  DeployEvent,
  DeployResult,
  DropletOutcome,
  Evidence,
  HistoryEntry,
  Probes,
  ReleaseInfo,
  Rotation,
  StatusRow,
  Step,
} from './rollout/model.js';
