// Overhead: what a rollout costs beyond Docker and the balancer, on three sandbox droplets.
import { INSTANT, openFleet } from './fleet.mjs';
import { traces, underWay } from './traces.mjs';

/** Commands that poll: their number depends on the wait. */
const POLLS = /^run (containers|door)\b/;

export async function measureOverhead(droplets = 3) {
  return [
    // No delays: the rest of the time is do-deploy's own.
    await measure('at once', { droplets, healthCheck: INSTANT }),
    // Delays like DigitalOcean's, which make polls of the API visible.
    await measure('after 1 s', { droplets, healthCheck: INSTANT, apiDelayMs: 1_000, effectDelayMs: 1_000 }),
  ];
}

async function measure(name, options) {
  const fleet = await openFleet(options);
  try {
    const { droplets } = options;
    const calls = fleet.region.apiLog.length;
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json', '--verbose']);
    if (end.code !== 0) throw new Error(`the deploy failed: ${end.stdout.slice(-1500)} ${end.stderr}`);
    const log = fleet.region.apiLog.slice(calls);
    const ssh = traces(end.events).filter(({ droplet }) => droplet !== undefined);
    const polls = ssh.filter(({ deed }) => POLLS.test(deed));
    const connections = ssh.filter(({ deed }) => deed.startsWith('connected'));
    const began = (phase) =>
      Date.parse(end.events.find((event) => event.type === 'phase-started' && event.phase === phase).at);
    const [from, to] = [began('roll'), began('finish')];
    const rolling = ssh.filter((trace) => trace.began >= from && trace.ended <= to);
    const rollingCalls = log.filter(({ at }) => at >= from && at < to);
    const perDroplet = (count) => (count / droplets).toFixed(1);
    return {
      'a change shows and takes effect': name,
      'total s': (end.ms / 1000).toFixed(1),
      'rolling s/droplet': ((to - from) / droplets / 1000).toFixed(2),
      'of it on the droplet': (underWay(rolling) / droplets / 1000).toFixed(2),
      'SSH connections/droplet': perDroplet(connections.length),
      'round trips/droplet': perDroplet(ssh.length - polls.length - connections.length),
      'and polls of waits': perDroplet(polls.length),
      'API calls/droplet': perDroplet(rollingCalls.length),
      'and once per run': log.length - rollingCalls.length,
    };
  } finally {
    await fleet.close();
  }
}
