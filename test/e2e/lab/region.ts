/** What all fleets of a run share: their network, the registries and folders. */
import { join } from 'node:path';

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the end-to-end tests with \`npm run test:e2e\``);
  return value;
}

/** Everything that a run writes is below this folder; its caller removes it. */
export const ROOT = required('DO_DEPLOY_E2E_ROOT');
/** The command that is tested. */
export const MAIN = required('DO_DEPLOY_E2E_MAIN');
/** The droplets' compose plugin. */
export const COMPOSE = required('DO_DEPLOY_E2E_COMPOSE');
/** Where images are kept between runs. */
export const CACHE = required('DO_DEPLOY_E2E_CACHE');
/** A folder with a Docker that can use containerd's image store. */
export const ENGINE = join(CACHE, 'engine');
/** The file system of a fresh droplet. It is only there for tests that need it. */
export const FRESH_ROOT = join(CACHE, 'fresh-root');
/** The control group of this run's containers. */
export const CGROUP = required('DO_DEPLOY_E2E_CGROUP');

/** In this run's own network namespace. The droplets have the addresses that the sandbox's API returns. */
export const BRIDGE = 'region';
export const BRIDGE_PRIVATE = '10.10.0.254';
export const BRIDGE_IPV6 = 'fd00:10::254';
export const BRIDGE_PUBLIC = '203.0.113.254';

/** Two registries with the same images: a public one, and one that requires a login. */
export const REGISTRY = `${BRIDGE_PRIVATE}:5000`;
export const PRIVATE_REGISTRY = `${BRIDGE_PRIVATE}:5001`;
export const REGISTRIES = [REGISTRY, PRIVATE_REGISTRY];
export const REGISTRY_LOGIN = { username: 'deployer', password: 'registry-Passw0rd-7c1e' };

export const inRoot = (...names: string[]) => join(ROOT, ...names);
