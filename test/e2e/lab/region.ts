/** What all fleets of a run share: the network they are on, the registry, and where things are kept. */
import { join } from 'node:path';

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the end-to-end tests with \`npm run test:e2e\``);
  return value;
}

/** Everything that a run writes is below; its caller removes it. */
export const ROOT = required('DO_DEPLOY_E2E_ROOT');
/** The command that is tested. */
export const MAIN = required('DO_DEPLOY_E2E_MAIN');
/** The compose plugin that the droplets get. */
export const COMPOSE = required('DO_DEPLOY_E2E_COMPOSE');
/** Where images are kept from one run to the next. */
export const CACHE = required('DO_DEPLOY_E2E_CACHE');
/** The control group of all containers of this run. */
export const CGROUP = required('DO_DEPLOY_E2E_CGROUP');

/** Only in this run's own network namespace. The droplets' addresses are those that the sandbox's API tells. */
export const BRIDGE = 'region';
export const BRIDGE_PRIVATE = '10.10.0.254';
export const BRIDGE_PUBLIC = '203.0.113.254';

/** Two doors to the same images: anybody's, and one that asks for a login. */
export const REGISTRY = `${BRIDGE_PRIVATE}:5000`;
export const PRIVATE_REGISTRY = `${BRIDGE_PRIVATE}:5001`;
export const REGISTRIES = [REGISTRY, PRIVATE_REGISTRY];
export const REGISTRY_LOGIN = { username: 'deployer', password: 'registry-Passw0rd-7c1e' };

export const inRoot = (...names: string[]) => join(ROOT, ...names);
