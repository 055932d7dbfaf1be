/**
 * Names the cause of a failed droplet in one sentence, from what its containers, compose and the checks show. Pure: findings go
 * in, a diagnosis comes out. The rules are a table; the first that applies wins.
 */
import { RULES } from './diagnosis-rules.js';

/** A container that is to blame, or may be. All texts are foreign: they are matched and quoted. */
export interface ContainerFindings {
  service: string;
  /** running, exited, restarting, … */
  state: string;
  health?: 'starting' | 'healthy' | 'unhealthy' | undefined;
  healthOutput?: string | undefined;
  exitCode: number;
  oomKilled: boolean;
  /** Docker's message from starting it. */
  error?: string | undefined;
  restarts: number;
  /** The last lines of its log, oldest first. */
  log: readonly string[];
  /** Published tcp ports. */
  ports: readonly { host: number; container: number }[];
  /** Where its processes listen; undefined when that cannot be read. */
  listening?: readonly Listener[] | undefined;
}

/** A listening tcp socket. */
export interface Listener {
  port: number;
  /** Reachable from inside the container only. */
  loopback: boolean;
  family: 4 | 6;
}

export interface Findings {
  droplet: string;
  /** Command line that logs in to the droplet: `ssh deploy@203.0.113.1`. */
  login: string;
  /** Code and message of the step that failed. */
  code: string;
  failure: string;
  /** The port of the droplet that the failed check asks. */
  checkedPort?: number | undefined;
  containers: readonly ContainerFindings[];
}

export interface Diagnosis {
  /** Of the rule, for scripts: `loopback-only`. */
  name: string;
  /** The cause, as a sentence. */
  sentence: string;
  /** What to do about it, as a sentence, with the command where there is one. */
  remedy: string;
}

/** Undefined where no rule applies: a wrong cause costs more time than none. */
export function diagnose(findings: Findings): Diagnosis | undefined {
  for (const { name, find } of RULES) {
    const found = find(findings);
    if (found !== undefined) return { name, sentence: found[0], remedy: found[1] };
  }
  return undefined;
}
