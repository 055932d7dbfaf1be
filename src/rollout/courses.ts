/** The courses a droplet can be on, and the steps of each. Pure. */
import type { RollingStep, Rotation } from './model.js';

/** In hand: forward, confirm, return, back, abandon. Ends: done, returned, reverted, given-up, kept. */
export type Course =
  | 'waiting'
  | 'forward' // to the new release
  | 'confirm' // it serves the new release and is only still recorded: out of the ledger
  | 'return' // untouched: back into rotation as it is
  | 'back' // to its previous release
  | 'abandon' // evidence only, and out of the balancer if it is sick there
  | 'done'
  | 'returned'
  | 'reverted'
  | 'given-up' // stays as it is; if it is out, it stays in the ledger
  | 'kept'; // never started, and will not be

/** `record-by-hand`: record that the droplet was taken out by hand. `start-stopped`: start what layers have stopped, of a droplet that returns as it was. */
export type PlannedStep = RollingStep | 'record-by-hand' | 'start-stopped' | 'evidence';

export interface Failure {
  /** Absent where a droplet that was done has fallen sick. */
  step?: PlannedStep;
  code: string;
  /** For people. */
  message: string;
  /** `release`: what was deployed is at fault, so going back helps. `external`: it does not. */
  blame: 'release' | 'external';
  /** The step has failed before it changed the droplet. */
  unchanged?: boolean;
}

export type OnFailure = 'revert-droplet' | 'revert-fleet' | 'stop';

/** What a droplet's course depends on. */
export interface Situation {
  course: Course;
  rotation: Rotation;
  inLedger: boolean;
  /** Its mark could not be written: `inLedger` is only a guess, and before it leaves it has to be marked. */
  unmarked?: boolean;
  touched: boolean;
  /** It was out when its turn came: an earlier run left it there, in whatever state. */
  foundOut: boolean;
  /** An earlier run recorded it and stopped in the middle of a change. */
  halfDone?: boolean;
  examined: boolean;
  /** By the last observation or step. */
  healthy: boolean;
  previous?: string;
  failure?: Failure;
}

export function isInHand(course: Course): boolean {
  return ['forward', 'confirm', 'return', 'back', 'abandon'].includes(course);
}

/** The steps from where a droplet is to the end of the course. */
export function stepsOf(
  course: Course,
  droplet: Situation,
  { balanced, isFleet, takesOut = false }: { balanced: boolean; isFleet: boolean; takesOut?: boolean },
): PlannedStep[] {
  const isMarked = droplet.inLedger && !droplet.unmarked;
  const mark: PlannedStep[] = isFleet && !isMarked ? ['mark-out'] : [];
  const evidence: PlannedStep[] = droplet.failure?.blame === 'release' && !droplet.examined ? ['evidence'] : [];
  switch (course) {
    case 'forward':
    case 'back':
      if (takesOut) return [...mark, 'leave', 'drain', 'record-by-hand'];
      if (!balanced) return [...evidence, ...mark, 'switch', 'health', 'settle', 'clear'];
      return [
        ...evidence,
        ...mark,
        // A droplet that was found out may be on its way in, by a run that died: only this run's own leaving counts.
        ...(droplet.rotation === 'out' && droplet.touched ? [] : ['leave' as const]),
        'drain',
        'switch',
        'health',
        'balancer-check',
        'rejoin',
        'settle',
        'clear',
      ];
    case 'return':
      // No layer has been asked to prepare it for leaving, or being switched, before it is recorded.
      if (isFleet && droplet.rotation !== 'out' && droplet.rotation !== 'unknown' && !droplet.inLedger) return [];
      if (!balanced || droplet.rotation === 'in')
        return ['start-stopped', ...(droplet.inLedger ? ['clear' as const] : [])];
      return ['start-stopped', 'health', 'balancer-check', 'rejoin', 'settle', 'clear'];
    case 'confirm':
      if (!balanced) return ['settle', 'clear'];
      // Into rotation again: the run that recorded it may have asked for its leaving, which shows only later.
      return ['balancer-check', 'rejoin', 'settle', 'clear'];
    case 'abandon': {
      const sickInRotation =
        balanced && droplet.rotation !== 'out' && droplet.failure?.blame === 'release' && !droplet.healthy;
      return [...evidence, ...(sickInRotation ? [...mark, 'leave' as const] : [])];
    }
    default:
      return [];
  }
}

/** The course after all its steps have passed. */
export function endOf(course: Course): Course {
  switch (course) {
    case 'forward':
    case 'confirm':
      return 'done';
    case 'return':
      return 'returned';
    case 'back':
      return 'reverted';
    case 'abandon':
      return 'given-up';
    default:
      return course;
  }
}

/** A droplet that this run has not touched goes back to where it was found; what is not verified is not put back. */
export function untouchedEnd(droplet: Situation): Course {
  return droplet.foundOut || droplet.halfDone ? 'abandon' : 'return';
}

/** Of what comes before anything is changed on a droplet. */
function isOfLeaving({ step }: Failure): boolean {
  return step === 'mark-out' || step === 'leave' || step === 'drain' || step === 'record-by-hand';
}

/** The course after a failed step. */
export function courseAfterFailure(droplet: Situation, failure: Failure, onFailure: OnFailure): Course {
  // A droplet that serves is not taken out because it could not be confirmed.
  if (droplet.course === 'abandon' || droplet.course === 'confirm') return 'given-up';
  // It was turned back while it was leaving: what has failed is no part of its return.
  if (droplet.course === 'return' && isOfLeaving(failure)) return 'return';
  if (droplet.course !== 'forward') return 'abandon';
  if (!droplet.touched) return untouchedEnd(droplet);
  const canGoBack = onFailure !== 'stop' && failure.blame === 'release' && droplet.previous !== undefined;
  return canGoBack ? 'back' : 'abandon';
}
