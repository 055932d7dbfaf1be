/** Faults to plant into the product, and which of the monitor's properties each must break. */
import { type Told, tell } from './calm.js';
import { BY_HAND_FAULTS } from './mutations-of-by-hand.js';
import { CANARY_FAULTS } from './mutations-of-canaries.js';
import { CONTROLLING } from './mutations-of-control.js';
import { DRAINING } from './mutations-of-draining.js';
import { LAYERED_FAULTS } from './mutations-of-layers.js';
import { OBSERVING } from './mutations-of-observing.js';
import { ROLES_FAULTS } from './mutations-of-roles.js';
import { ROLLING } from './mutations-of-rollouts.js';
import { WORKERS_FAULTS } from './mutations-of-workers.js';
import type { Scenario } from './scenario.js';
import { scenarioOf } from './stories.js';

export interface Mutation {
  name: string;
  /** From the root. */
  file: string;
  /** Stands exactly once in it. */
  text: string;
  instead: string;
  /** Letters of the properties, as in monitor.ts. */
  breaks: string[];
  /** Random stories that show it, */
  seeds: number[];
  /** and stories told by hand that do. */
  stories?: Told[];
}

export const MUTATIONS: readonly Mutation[] = [
  ...OBSERVING,
  ...DRAINING,
  ...ROLLING,
  ...LAYERED_FAULTS,
  ...CANARY_FAULTS,
  ...CONTROLLING,
  ...WORKERS_FAULTS,
  ...ROLES_FAULTS,
  ...BY_HAND_FAULTS,
];

export function storiesOf({ seeds, stories = [] }: Mutation): Scenario[] {
  return [...seeds.map(scenarioOf), ...stories.map(tell)];
}
