/** What was read for the checks. They are pure: facts go in, findings come out. */
import type { Settings } from '../../config/settings.js';
import type { Firewall, LoadBalancer } from '../../ports.js';
import type { Difference } from '../../rollout/drift.js';
import type { PlacedDroplet } from '../../targets/target.js';
import type { ComposeText } from '../staging/compose-places.js';
import type { ComposeFacts } from './compose-facts.js';
import type { Refused } from './found.js';
import type { ImageFacts } from './image-facts.js';
import type { MachineFacts } from './machine-command.js';

/** A problem of the configuration, as it is reported to users. */
export interface ConfigurationProblem {
  place: string;
  message: string;
  remedy: string;
  kind?: 'file-missing' | 'file-encrypted' | 'variable-missing' | 'variable-blank';
}

export interface EnvFileFacts {
  /** Relative to the project. */
  path: string;
  /** Permissions on this machine; absent for a file that is not in the working tree. */
  mode?: number;
  hasSecrets: boolean;
  /** Absent outside of a git repository. */
  git?: 'tracked' | 'untracked' | 'ignored';
}

/** A place in a file of the release that makes a server read the PROXY protocol. */
export interface ProxyReader {
  place: string;
  /** The server of that file takes no connection without it. */
  isOnly: boolean;
}

export interface DropletFacts {
  name: string;
  /** What to type before a command to run it there. */
  login: string;
  docker?: string | undefined;
  machine?: MachineFacts | undefined;
  /** What compose makes of the files there. */
  compose?: ComposeFacts | undefined;
  images?: ImageFacts | undefined;
  /** Images that it has, and that have a healthcheck of their own. */
  checkedImages: ReadonlySet<string>;
  /** TCP ports at which something listens there that is no container of the app. */
  otherPorts: ReadonlySet<number>;
  /** Ids of releases that it holds and whose gates never passed there. */
  unproven: readonly string[];
  /** By release id: an image that is gone. */
  goneImages: ReadonlyMap<string, string>;
}

export interface RoleFacts {
  settings: Settings;
  balancer?: LoadBalancer | undefined;
  /** All of the fleet, those that were not reached included. */
  fleet: readonly PlacedDroplet[];
  /** Those that were read. */
  droplets: readonly DropletFacts[];
  /** As `status --check` finds them. */
  differences: readonly Difference[];
  /** Only a release that is recorded makes a droplet without one a problem. */
  hasRelease: boolean;
  dispute?: string | undefined;
  /** Droplets that were taken out by hand, in words. */
  byHand: readonly { droplet: string; sentence: string }[];
  holder?: { who: string; since: string } | undefined;
  /** Names of droplets whose record in the ledger `--fix` may clear. */
  clearable: ReadonlySet<string>;
}

export interface Facts {
  settings?: Settings | undefined;
  problems: readonly ConfigurationProblem[];
  /** `PLACE: what is doubtful`, as a deploy warns. */
  warnings: readonly string[];
  envFiles: readonly EnvFileFacts[];
  missingScopes: readonly string[];
  /** Absent: they could not be read. */
  firewalls?: readonly Firewall[] | undefined;
  proxyReaders: readonly ProxyReader[];
  composeTexts: readonly ComposeText[];
  roles: readonly RoleFacts[];
  /** What the deploy's own checks refuse. */
  refused: readonly Refused[];
}
