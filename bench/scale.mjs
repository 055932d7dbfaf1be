// Scale: 10, 50 and 200 sandbox droplets behind a tag-managed balancer, in batches of 10%.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endOf, openFleet } from './fleet.mjs';

/** Rare enough for this one process, which is the balancer and all droplets, to answer the checks of 200 in time. */
const SELDOM = { intervalSeconds: 2, healthyThreshold: 1, unhealthyThreshold: 5, timeoutSeconds: 10 };

export async function measureScale(sizes = [10, 50, 200]) {
  const rows = [];
  for (const droplets of sizes) {
    const fleet = await openFleet({ droplets, tagManaged: true, healthCheck: SELDOM, firstBatch: '10%' });
    try {
      const config = join(fleet.folder, 'config/deploy.yml');
      await writeFile(config, `${await readFile(config, 'utf8')}rollout:\n  batch: 10%\n`);
      // The rate limit counts the calls of the first deploy for a minute.
      await new Promise((resolve) => setTimeout(resolve, 61_000));
      const calls = fleet.region.apiLog.length;
      const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json'], { sample: true });
      if (end.code !== 0) throw new Error(`deploy of ${droplets} droplets failed: ${endOf(end)}`);
      const log = fleet.region.apiLog.slice(calls);
      const began = (phase) =>
        Date.parse(end.events.find((event) => event.type === 'phase-started' && event.phase === phase).at);
      rows.push({
        droplets,
        'total s': (end.ms / 1000).toFixed(1),
        'staging s': ((began('roll') - began('stage')) / 1000).toFixed(1),
        'rolling s': ((began('finish') - began('roll')) / 1000).toFixed(1),
        'rolling ms/droplet': Math.round((began('finish') - began('roll')) / droplets),
        'API calls/droplet': (log.length / droplets).toFixed(1),
        'rate limited': log.filter((call) => call.outcome === 429).length,
        'peak MB': Math.round(end.peakBytes / 1024 / 1024),
      });
    } finally {
      await fleet.close();
    }
  }
  return rows;
}
