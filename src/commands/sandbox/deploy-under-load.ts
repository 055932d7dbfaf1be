import { EXIT } from '../../cli/exit-codes.js';
import type { Clock } from '../../ports.js';
import { Load, type LoadReport } from '../../sandbox/load.js';
import { exitOf, type Sandbox } from './sandbox.js';

const REQUESTS_PER_SECOND = 50;
/** A quick fleet is done before the load has proven much. */
const LEAST_REQUESTS = 550;
const POLL_MS = 100;

/** Deploys v2, and prints how many requests failed meanwhile. Resolves to the exit code. */
export async function deployUnderLoad({ region, clock, interrupted, say, doDeploy }: Sandbox): Promise<number> {
  say(`v1 is serving. Sending ${REQUESTS_PER_SECOND} requests per second to the balancer and deploying v2.`, '');
  const load = Load.start({ url: region.balancerUrl, requestsPerSecond: REQUESTS_PER_SECOND });
  const child = doDeploy(['deploy', 'sandbox', 'v2', '--yes'], 'inherit');
  // The terminal's Ctrl-C reaches the child too; a signal sent to this process alone is passed on.
  interrupted.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  const code = await exitOf(child);
  const answer = code === 0 ? await answerAfterEnough(load, region.balancerUrl, clock) : '';
  const report = await load.stop();
  say('', ...(answer ? [`The balancer answers: ${answer.trim()}`] : []), proof(report, region.fewestServing()));
  say(...report.failures.slice(0, 5).map((failure) => `  ${failure.kind}: ${failure.reason}`));
  if (code !== 0) return code;
  return report.failed > 0 || !answer.includes('v2') ? EXIT.failed : EXIT.ok;
}

async function answerAfterEnough(load: Load, url: string, clock: Clock): Promise<string> {
  while (load.report().total < LEAST_REQUESTS) await clock.sleep(POLL_MS);
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return await answer.text();
}

function proof(report: LoadReport, fewest: number): string {
  const { total, failed, byKind, latencyMs } = report;
  const kinds = `${byKind['new connection']} on new connections, ${byKind['kept alive']} kept alive, ${byKind.slow} slow`;
  return [
    `${failed} of ${total} requests failed`,
    `(${kinds}; slowest ${Math.round(latencyMs.slowest)} ms; never fewer than ${fewest} serving)`,
  ].join(' ');
}
