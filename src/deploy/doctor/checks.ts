/** The one list of doctor's checks. */
import { checkBalancer } from './checks/balancer.js';
import { checkCompose } from './checks/compose.js';
import { checkConfiguration } from './checks/configuration.js';
import { checkDroplets } from './checks/droplets.js';
import { checkEnvFiles } from './checks/env-files.js';
import { checkFirewalls } from './checks/firewalls.js';
import { checkLeftovers } from './checks/leftovers.js';
import { checkRegistry } from './checks/registry.js';
import { checkToken } from './checks/token.js';
import type { Facts } from './facts.js';
import type { Found } from './found.js';

/** Pure. */
export type Check = (facts: Facts) => Found[];

export const CHECKS: readonly Check[] = [
  checkConfiguration,
  checkEnvFiles,
  checkToken,
  checkBalancer,
  checkFirewalls,
  checkDroplets,
  checkCompose,
  checkRegistry,
  checkLeftovers,
];
