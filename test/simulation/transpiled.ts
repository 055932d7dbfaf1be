/** For tests: the simulation in a copy that Node runs by itself, whole or with a fault planted into the product. */
import { rmSync } from 'node:fs';
import { transpile } from './transpile.mjs';

export type Player = Pick<typeof import('./run.js'), 'runScenario' | 'runSeed'>;

const folders: string[] = [];

/** @param change of a source, by its path from the root */
export async function playerOf(name: string, change?: (path: string, source: string) => string): Promise<Player> {
  return (await copied(name, 'run', change)) as Player;
}

/** `fleetOf`, for tests of whole runs. */
export async function smallFleets(name: string): Promise<typeof import('./small-fleet.js').fleetOf> {
  return ((await copied(name, 'small-fleet')) as typeof import('./small-fleet.js')).fleetOf;
}

async function copied(
  name: string,
  module: string,
  change?: (path: string, source: string) => string,
): Promise<object> {
  const folder = await transpile(`${name}-${process.pid}`, change);
  folders.push(folder);
  await import(`${folder}/test/simulation/sync-gzip.js`);
  return await import(`${folder}/test/simulation/${module}.js`);
}

export function removeCopies(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
