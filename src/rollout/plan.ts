/** The plan of a rollout: what `do-deploy plan` finds, as data. Pure: only types. */
import type { ErrorInfo } from '../errors.js';
import type { ReleaseInfo, Rotation } from './model.js';

export interface RolloutPlan {
  command: 'deploy' | 'rollback';
  app: string;
  environment: string;
  /** Its id is empty where the rollout would make a new release. */
  release: ReleaseInfo;
  /** For people: `load balancer "web" (203.0.113.9)`. */
  target: string;
  /** Something is to be done. */
  changes: boolean;
  droplets: PlannedDroplet[];
  /** What would differ on droplets; those with the same differences are together. */
  differences: PlannedDifference[];
  /** In their order. */
  batches: PlannedBatch[];
  /** After the last batch, in ms. */
  bakeMs?: number;
  /** Programs of the project that would run besides: its `prepare` script, its layers and its hooks. */
  programs: PlannedProgram[];
  /** Absent: no past run says anything. */
  estimate?: { ms: number; runs: number };
  findings: PlanFinding[];
  /** The command that does it. */
  next: string;
}

export interface PlannedDroplet {
  id: number;
  name: string;
  role?: string;
  rotation: Rotation;
  /** `healthy`, `unknown`, or why it is not. */
  health: string;
  /** Id of the release that it runs, '' when none or unknown. */
  release: string;
  /** `held`: it keeps its release, because only a part of the fleet gets the new one. */
  action: 'deployed' | 'nothing' | 'held' | 'not reached' | 'taken out by hand';
}

export interface PlannedDifference {
  /** Names. */
  droplets: string[];
  files: PlannedFile[];
  images: PlannedImage[];
  /** Services whose containers change. */
  services: PlannedService[];
  /** What has to be pulled, compressed; absent where that is not known. Of several droplets, the most. */
  pullBytes?: number;
}

export interface PlannedFile {
  path: string;
  change: 'added' | 'changed' | 'removed';
  /** A unified diff; absent for binary, large and private files, and where there are too many. */
  diff?: string;
  /** Its content is private: an env file or a key. */
  isPrivate?: boolean;
  /** Of an env file: names of variables, never values. */
  variables?: { added: string[]; changed: string[]; removed: string[] };
}

export interface PlannedImage {
  service: string;
  /** As the compose files name it; absent where only the new release has the service, or it is built. */
  reference: string;
  /** Pinned, as REPOSITORY@DIGEST; absent: nothing runs. */
  from?: string;
  /** Absent: not known without pulling. */
  to?: string;
  /** Why it is not known. */
  unknown?: string;
}

export interface PlannedService {
  service: string;
  /** `perhaps`: whether compose recreates its containers is only known once the image is pulled, or compose has read the files. */
  action: 'create' | 'recreate' | 'perhaps recreate' | 'remove';
  because: string;
}

export interface PlannedBatch {
  role?: string;
  /** Names. */
  droplets: string[];
  /** Those of them that serve until then. */
  leaving: string[];
  /** The fewest droplets that serve meanwhile. */
  serving: number;
  /** The fewest that may. */
  floor: number;
  /** Of all droplets of the role, or of the environment. */
  of: number;
  /** The pause after it, in ms. */
  pauseMs?: number;
}

export interface PlannedProgram {
  /** An event, or `stage`. */
  at: string;
  name: string;
}

/** What the user should know. The texts are those of the rollout itself. */
export type PlanFinding =
  /** The rollout would not begin, or would stop there: with the code of its error. */
  | ({ kind: 'refused' } & Pick<ErrorInfo, 'code' | 'message' | 'hint' | 'droplet'>)
  /** It would run all the same. */
  | ({ kind: 'note' } & Pick<ErrorInfo, 'message' | 'droplet'>);
