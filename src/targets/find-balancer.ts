/** Finds the balancer that the settings name: by id, by name, or the account's only one. Never "the first". */
import { CloudError, DeployError } from '../errors.js';
import type { Clock, Cloud, LoadBalancer } from '../ports.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ACTIVE_WITHIN_MS = 60_000;

export async function findBalancer(cloud: Cloud, ref: string | undefined): Promise<LoadBalancer> {
  if (ref !== undefined && UUID.test(ref)) {
    try {
      return await cloud.getLoadBalancer(ref);
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'not-found')
        throw notFound(ref, await cloud.listLoadBalancers());
      throw error;
    }
  }
  const all = await cloud.listLoadBalancers();
  const matching = ref === undefined ? all : all.filter((balancer) => balancer.name === ref);
  const [only, ...others] = matching;
  if (only === undefined) throw notFound(ref, all);
  if (others.length > 0) {
    throw new DeployError(
      'balancer-ambiguous',
      `${matching.length} load balancers ${ref === undefined ? 'are in this account' : `are named "${ref}"`}.`,
      {
        source: 'user',
        hint: `Name one by its id, as load_balancer: in the configuration file or in the variable LOAD_BALANCER: ${matching.map(nameAndId).join(', ')}.`,
      },
    );
  }
  return only;
}

function notFound(ref: string | undefined, all: readonly LoadBalancer[]): DeployError {
  const known =
    all.length === 0 ? 'This token sees no load balancer.' : `This token sees ${all.map(nameAndId).join(', ')}.`;
  return new DeployError(
    'balancer-not-found',
    ref === undefined ? 'The account has no load balancer.' : `There is no load balancer "${ref}".`,
    {
      source: 'user',
      hint: `${known} Set load_balancer: in the configuration file, or check that the token belongs to the right account.`,
    },
  );
}

/** Of a balancer or an autoscale pool. */
export function nameAndId({ name, id }: { name: string; id: string }): string {
  return `"${name}" (${id})`;
}

/** Waits up to a minute for `active`. Throws DeployError for a balancer that cannot be deployed to. */
export async function deployable(cloud: Cloud, found: LoadBalancer, clock: Clock): Promise<LoadBalancer> {
  if (found.type === 'GLOBAL') {
    throw new DeployError(
      'balancer-global',
      `Load balancer "${found.name}" is global: its backends are other load balancers, not droplets.`,
      {
        source: 'user',
        hint: 'Name the regional load balancers behind it, one environment each.',
      },
    );
  }
  const deadline = clock.now() + ACTIVE_WITHIN_MS;
  let balancer = found;
  while (balancer.status !== 'active') {
    if (balancer.status === 'errored' || clock.now() >= deadline) {
      throw new DeployError(
        'balancer-not-active',
        `Load balancer "${balancer.name}" is ${balancer.status}, not active.`,
        {
          hint: 'Check it in the control panel; run do-deploy again when it is active.',
        },
      );
    }
    await clock.sleep(2_000);
    balancer = await cloud.getLoadBalancer(found.id);
  }
  return balancer;
}
