/** The state of a fleet, read from the region itself: the command's own report proves nothing. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { LoadReport } from '../../src/sandbox/load.js';
import type { SandboxFleet } from './sandbox-fleet.js';

const LEDGER_TAG = 'do-deploy:out:shop:sandbox';

export interface DropletState {
  name: string;
  /** As the API shows it. */
  rotation: 'in' | 'out';
  /** The balancer sends requests to it. */
  served: boolean;
  /** It has the ledger's tag. */
  recorded: boolean;
  /** The version of the running shop container; '' if none or several run. */
  version: string;
  /** A process holds its lock. */
  locked: boolean;
  /** It has an out.json. */
  marked: boolean;
}

/** The droplets of the balancer and of the ledger, by name. */
export function stateOf({ region }: SandboxFleet): DropletState[] {
  const { world } = region;
  const { shown } = world.balancer(region.balancerId);
  const up = new Set(region.balancer.backends().flatMap(({ dropletId, up }) => (up ? [dropletId] : [])));
  return [...world.droplets.values()]
    .filter(({ id, tags }) => id !== region.stagingDropletId || shown.has(id) || tags.has(LEDGER_TAG))
    .map(({ id, name, tags }) => {
      const folder = join(region.droplet(id).home, 'do-deploy/shop');
      return {
        name,
        rotation: shown.has(id) ? ('in' as const) : ('out' as const),
        served: up.has(id),
        recorded: tags.has(LEDGER_TAG),
        version: versionOn(region.droplet(id).engine),
        locked: isLocked(join(folder, 'lease/lock')),
        marked: existsSync(join(folder, 'out.json')),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function dropletState(fleet: SandboxFleet, name: string): DropletState {
  const found = stateOf(fleet).find((droplet) => droplet.name === name);
  if (found === undefined) throw new Error(`no droplet ${name} in the fleet`);
  return found;
}

type Engine = ReturnType<SandboxFleet['region']['droplet']>['engine'];

function versionOn(engine: Engine): string {
  const apps = engine.containers({ 'com.docker.compose.service': 'app' }).filter(({ running }) => running);
  const [version, ...others] = apps.map(({ spec }) => spec.image.env.find((one) => one.startsWith('SHOP_VERSION=')));
  return others.length > 0 ? '' : (version?.replace('SHOP_VERSION=', '') ?? '');
}

function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    execFileSync('flock', ['-n', path, 'true'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

/** Every droplet serves a known release; none is in the ledger, marked out or locked. */
export function expectInRotation(fleet: SandboxFleet, versions: readonly string[] = ['v1', 'v2']): void {
  const droplets = stateOf(fleet);
  const whole = { rotation: 'in', served: true, recorded: false, locked: false, marked: false };
  expect(droplets).toEqual(droplets.map((droplet) => ({ ...droplet, ...whole })));
  for (const { name, version } of droplets) expect(versions, `the release of ${name}`).toContain(version);
}

/** Also checks that all droplets serve one release, which is returned, and that the sandbox supported every request. */
export function expectWhole(fleet: SandboxFleet, versions?: readonly string[]): string {
  expectInRotation(fleet, versions);
  const [version = '', ...others] = new Set(stateOf(fleet).map((droplet) => droplet.version));
  expect(others, `besides ${version}`).toEqual([]);
  expect(fleet.region.world.unknownRequests).toEqual([]);
  expect([...fleet.region.droplets.values()].flatMap((droplet) => droplet.unimplemented)).toEqual([]);
  return version;
}

/** No request failed. */
export function expectNoFailures({ total, failed, failures }: LoadReport): void {
  expect({ failed, failures }).toEqual({ failed: 0, failures: [] });
  expect(total).toBeGreaterThan(0);
}
