/** What `do-deploy doctor` reports, as data. Pure: only types. */

/** `error`: a deploy would fail, or must not begin. `warning`: it would work, but at a cost or a risk. */
export type Severity = 'error' | 'warning';

export type Area =
  | 'configuration'
  | 'token'
  | 'balancer'
  | 'droplets'
  | 'compose'
  | 'env files'
  | 'registry'
  | 'leftovers';

export interface DoctorFinding {
  /** Stable, for scripts. */
  name: string;
  severity: Severity;
  area: Area;
  /** Names of the droplets that have it; empty if it concerns no single one. */
  droplets: string[];
  /** `config/.env.production:3` */
  place?: string;
  /** What was found, one sentence or more. */
  message: string;
  /** Why it matters. */
  why: string;
  /** What to type or to write. */
  fix?: string;
  /** `--fix` corrects it. */
  fixable?: true;
  /** This run has corrected it. */
  fixed?: true;
}

export interface DoctorReport {
  app: string;
  environment: string;
  /** For people: `load balancer "web" (203.0.113.9)`; '' where it could not be found. */
  target: string;
  /** Droplets that were looked at. */
  droplets: number;
  /** Errors first. */
  findings: DoctorFinding[];
  /** What could not be looked at, and why: a sentence each. */
  unchecked: string[];
}
