/**
 * An action of the bootstrap: what it reads from a droplet, and what it would change there. Planning is pure; `bootstrap.ts`
 * performs. A new action is one file in `actions/`, and a line in `actions.ts`.
 */
import type { BootstrapSettings, Settings } from '../../config/settings.js';
import type { Read } from './read.js';

/** What every action may rely on. */
export interface System {
  /** `debian` or `ubuntu`. */
  id: 'debian' | 'ubuntu';
  /** `13`, `24.04`. */
  version: string;
  /** `trixie`, `noble`. */
  codename: string;
  hasSystemd: boolean;
}

export interface Wanted extends Omit<BootstrapSettings, 'authorizedKeys'>, Pick<Settings, 'config'> {
  /** The user that deploys; absent: root. */
  user?: string;
  /** Lines of authorized_keys; absent: those of root. */
  keys?: readonly string[];
  /** The droplet's address in its VPC. */
  privateAddress?: string;
  /** Ports that the balancer's clients reach with their own addresses. */
  openPorts: readonly number[];
  /** No balancer is in front of it: its clients reach the ports that its containers publish. */
  isPublic: boolean;
}

export interface About {
  wanted: Wanted;
  system: System;
}

export interface Change {
  kind: 'change';
  /** In the imperative, without a full stop: "create the user deploy". */
  sentence: string;
  /** Files that it writes. */
  files: readonly string[];
  /** Lines of POSIX sh for root, run under `set -eu`. They may run again. */
  script: readonly string[];
  /** Their standard input: keys. */
  stdin?: string;
  /** It waits for apt's lock first, and may take longer. */
  usesApt?: boolean;
  /**
   * It may lock everybody out: these lines take it back, by themselves after a minute, unless a second login has succeeded.
   * `$guard` is a folder for what they need.
   */
  undo?: readonly string[];
}

/** What is there already and is not do-deploy's: one sentence. */
export interface Left {
  kind: 'left';
  sentence: string;
}

export type Planned = Change | Left;

export interface Action {
  /** One word, for people and for `--json`. */
  readonly name: string;
  /** Lines of POSIX sh that print `KEY VALUE`; see read.ts. They change nothing. */
  reads(wanted: Wanted): readonly string[];
  /** Nothing, when the droplet is as it should be. Throws DeployError bootstrap-refused. */
  plan(read: Read, about: About): readonly Planned[];
}

export function left(sentence: string): Left {
  return { kind: 'left', sentence };
}
