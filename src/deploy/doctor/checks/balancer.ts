/** The balancer's settings, and what they cost. */
import { inWords } from '../../../durations.js';
import type { HealthCheck, LoadBalancer } from '../../../ports.js';
import { configFile } from '../../core/do-deploy.js';
import { checkWindow } from '../../drain/balancer-timing.js';
import type { Facts, ProxyReader, RoleFacts } from '../facts.js';
import type { Found } from '../found.js';

/** DigitalOcean's limit: https://docs.digitalocean.com/products/networking/load-balancers/details/limits/ */
const MOST_BY_ID = 10;

/** In ms: a droplet that waits longer for the balancer is slow. */
const SLOW_MS = 30_000;

/** The shortest that DigitalOcean takes. */
const SHORTEST: HealthCheck = {
  protocol: 'http',
  port: 80,
  path: '/',
  intervalSeconds: 3,
  timeoutSeconds: 3,
  healthyThreshold: 2,
  unhealthyThreshold: 2,
};

export function checkBalancer({ roles, proxyReaders }: Facts): Found[] {
  return roles.flatMap(({ balancer, ...role }) =>
    balancer === undefined
      ? []
      : [
          ...membership(balancer, role),
          ...proxyProtocol(balancer, proxyReaders),
          ...connections(balancer),
          ...interval(balancer, role),
          ...places(balancer, role),
        ],
  );
}

type Role = Omit<RoleFacts, 'balancer'>;

function membership({ name, tag }: LoadBalancer, { fleet, settings }: Role): Found[] {
  if (tag !== undefined) return [];
  const found: Found[] = [];
  const { target } = settings;
  const byTag = 'Let the balancer take its droplets by a tag, in the control panel: docs/targets.md says how.';
  if (fleet.length >= MOST_BY_ID) {
    const message = `Load balancer "${name}" takes its droplets by id, and has ${fleet.length} of ${MOST_BY_ID}.`;
    found.push({ name: 'balancer-full', message, fix: byTag });
  }
  if (target.kind === 'load_balancer' && target.pool !== undefined) {
    const message = `The autoscale pool ${target.pool} creates droplets for load balancer "${name}", which takes them by id.`;
    found.push({
      name: 'pool-by-id',
      message,
      fix: `${byTag} Or keep the pool's maximum at ${MOST_BY_ID} and run \`adopt\` from a schedule.`,
    });
  }
  return found;
}

function proxyProtocol({ name, proxyProtocol: isSent }: LoadBalancer, readers: readonly ProxyReader[]): Found[] {
  const [first] = readers;
  if (isSent && first === undefined) {
    return [
      {
        name: 'proxy-protocol-unread',
        message: `Load balancer "${name}" sends the PROXY protocol, and no file of the release makes a server read it.`,
        fix: "Turn it off in the control panel, or let the server read it (nginx: listen 80 proxy_protocol). If the image's own configuration reads it, all is well.",
      },
    ];
  }
  const only = readers.find(({ isOnly }) => isOnly);
  if (!isSent && only !== undefined) {
    return [
      {
        name: 'proxy-protocol-unsent',
        place: only.place,
        message: `The server expects the PROXY protocol there, and load balancer "${name}" does not send it.`,
        fix: 'Turn it on in the control panel, or take proxy_protocol out of the file.',
      },
    ];
  }
  return [];
}

function connections(balancer: LoadBalancer): Found[] {
  const { name, sticky, backendKeepalive, healthCheck } = balancer;
  const found: Found[] = [];
  const silence = inWords(windowOf(healthCheck));
  if (sticky) {
    found.push({
      name: 'sticky-sessions',
      message: `Load balancer "${name}" has sticky sessions: a droplet that leaves has to miss a check first, which takes up to ${silence}.`,
      fix: 'Keep sessions in a database or a cache, and turn sticky sessions off in the control panel.',
    });
  }
  if (backendKeepalive) {
    found.push({
      name: 'backend-keepalive',
      message: `Load balancer "${name}" keeps its connections to the droplets: each droplet that leaves waits up to ${silence} for a missing check, and then 2 s in which nothing is sent.`,
      fix: 'If requests do not need it, turn off backend keepalive in the control panel.',
    });
  }
  return found;
}

function windowOf({ intervalSeconds }: HealthCheck): number {
  return checkWindow(intervalSeconds * 1_000, 0);
}

/** What a droplet waits for the balancer: until a check is missing, and until enough have passed. In ms. */
export function waitForBalancer(check: HealthCheck): number {
  return windowOf(check) * (1 + check.healthyThreshold);
}

function interval({ name, healthCheck }: LoadBalancer, { fleet }: Role): Found[] {
  const each = waitForBalancer(healthCheck);
  if (each <= SLOW_MS) return [];
  const { intervalSeconds, healthyThreshold } = healthCheck;
  const best = waitForBalancer(SHORTEST);
  return [
    {
      name: 'check-interval',
      message: `Load balancer "${name}" checks every ${intervalSeconds} s and wants ${healthyThreshold} passes: that is up to ${inWords(each)} for each droplet, and ${inWords(each * fleet.length)} for ${fleet.length} droplets, one after the other.`,
      fix: `In the control panel, set the interval to ${SHORTEST.intervalSeconds} s and the healthy threshold to ${SHORTEST.healthyThreshold}: up to ${inWords(best)} for each droplet.`,
    },
  ];
}

function places({ name, region, vpcId }: LoadBalancer, { fleet, settings }: Role): Found[] {
  return fleet.flatMap(({ droplet }): Found[] => {
    const remedy = `Create a droplet there instead, and take this one out of load_balancer: in ${configFile(settings)}.`;
    if (region !== '' && droplet.region !== '' && droplet.region !== region) {
      const message = `Load balancer "${name}" is in ${region}, and the droplet is in ${droplet.region}.`;
      return [{ name: 'other-region', droplet: droplet.name, message, fix: remedy }];
    }
    if (vpcId !== undefined && droplet.vpcId !== undefined && droplet.vpcId !== vpcId) {
      const message = `Load balancer "${name}" is in the VPC ${vpcId}, and the droplet is in ${droplet.vpcId}.`;
      return [{ name: 'other-vpc', droplet: droplet.name, message, fix: remedy }];
    }
    return [];
  });
}
