// Overhead: what a rollout costs beyond Docker and the balancer, on three sandbox droplets.
import { INSTANT, openFleet } from './fleet.mjs';
import { traces, underWay } from './traces.mjs';

/** Commands that poll during a wait. How many there are depends on what is waited for. */
const POLLS = /^run (containers|traffic)\b/;

export async function measureOverhead(droplets = 3) {
  return [
    // With an instant balancer, the time that remains is do-deploy's own.
    await measure('immediately', { droplets, healthCheck: INSTANT }),
    // As slow as DigitalOcean may be: this shows the polls of the API.
    await measure('after 1 s', { droplets, healthCheck: INSTANT, apiDelayMs: 1_000, effectDelayMs: 1_000 }),
  ];
}

async function measure(name, options) {
  const fleet = await openFleet(options);
  try {
    const { droplets } = options;
    const calls = fleet.region.apiLog.length;
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json', '--debug']);
    if (end.code !== 0) throw new Error(`the deploy failed: ${end.stdout.slice(-1500)} ${end.stderr}`);
    const log = fleet.region.apiLog.slice(calls);
    const ssh = traces(end.events).filter(({ droplet }) => droplet !== undefined);
    const polls = ssh.filter(({ action }) => POLLS.test(action));
    const connections = ssh.filter(({ action }) => action.startsWith('connected'));
    const began = (phase) =>
      Date.parse(end.events.find((event) => event.type === 'phase-started' && event.phase === phase).at);
    const [from, to] = [began('roll'), began('finish')];
    const rolling = ssh.filter((trace) => trace.began >= from && trace.ended <= to);
    const rollingCalls = log.filter(({ at }) => at >= from && at < to);
    const perDroplet = (count) => (count / droplets).toFixed(1);
    return {
      'a change is visible and effective': name,
      'total s': (end.ms / 1000).toFixed(1),
      'rolling s/droplet': ((to - from) / droplets / 1000).toFixed(2),
      'of which on the droplet': (underWay(rolling) / droplets / 1000).toFixed(2),
      'SSH connections/droplet': perDroplet(connections.length),
      'round trips/droplet': perDroplet(ssh.length - polls.length - connections.length),
      'polls/droplet': perDroplet(polls.length),
      'API calls/droplet': perDroplet(rollingCalls.length),
      'other API calls per run': log.length - rollingCalls.length,
    };
  } finally {
    await fleet.close();
  }
}
