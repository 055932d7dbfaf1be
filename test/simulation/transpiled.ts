/** For tests: the simulation in a copy that Node runs by itself, whole or with a fault planted into the product. */
import { rmSync } from 'node:fs';
import { transpile } from './transpile.mjs';

export type Player = Pick<typeof import('./run.js'), 'runScenario' | 'runSeed'>;

const folders: string[] = [];

/** @param change of a source, by its path from the root */
export async function playerOf(name: string, change?: (path: string, source: string) => string): Promise<Player> {
  const folder = await transpile(`${name}-${process.pid}`, change);
  folders.push(folder);
  await import(`${folder}/test/simulation/sync-gzip.js`);
  return (await import(`${folder}/test/simulation/run.js`)) as Player;
}

export function removeCopies(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
