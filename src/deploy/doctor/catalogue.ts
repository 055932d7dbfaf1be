/**
 * Everything that doctor itself finds. docs/doctor.md has the same table. Refusals of a deploy, which doctor takes from the
 * deploy's own checks, have the names of their error codes instead, and docs/troubleshooting.md explains them.
 */
import type { Area, Severity } from '../../rollout/doctor.js';

export interface Entry {
  area: Area;
  severity: Severity;
  /** For the documentation: a phrase. */
  what: string;
  /** One sentence or more. */
  why: string;
  /** What `--fix` does: a phrase. */
  repair?: string;
}

const entry = (area: Area, severity: Severity, what: string, why: string, repair?: string): Entry => ({
  area,
  severity,
  what,
  why,
  ...(repair !== undefined && { repair }),
});

export const CATALOGUE = {
  // --- configuration ---
  configuration: entry(
    'configuration',
    'error',
    'a problem of the configuration',
    'A deploy ends with exit code 2 before it contacts anything.',
  ),
  'configuration-doubt': entry(
    'configuration',
    'warning',
    'what is probably a mistake in the configuration',
    'A deploy warns about it, and does what is written.',
  ),

  // --- token ---
  'scope-missing': entry(
    'token',
    'error',
    'a scope that the token lacks',
    'DigitalOcean refuses the calls that need it, or leaves fields out of its answers.',
  ),

  // --- balancer ---
  'balancer-not-active': entry(
    'balancer',
    'error',
    'a balancer that is not active',
    'A deploy waits a minute for it, and then refuses.',
  ),
  'fleet-of-one': entry(
    'balancer',
    'warning',
    'a fleet of one droplet',
    'While it is updated, nothing serves: a deploy is refused without --allow-downtime.',
  ),
  'balancer-full': entry(
    'balancer',
    'warning',
    'ten droplets on a balancer that takes them by id',
    'DigitalOcean allows no more by id: an eleventh droplet cannot join, and a larger fleet needs a tag.',
  ),
  'pool-by-id': entry(
    'balancer',
    'warning',
    'an autoscale pool whose balancer takes droplets by id',
    'At most ten droplets can join: those that the pool creates beyond that get no traffic.',
  ),
  'proxy-protocol-unread': entry(
    'balancer',
    'warning',
    'a balancer that sends the PROXY protocol, and no file of the release that reads it',
    'A server that does not expect the protocol takes its first line for a broken request.',
  ),
  'proxy-protocol-unsent': entry(
    'balancer',
    'error',
    'a server that expects the PROXY protocol, and a balancer that does not send it',
    'The server refuses every connection without it, so the health check fails and the droplet gets no traffic.',
  ),
  'sticky-sessions': entry(
    'balancer',
    'warning',
    'sticky sessions',
    'A client whose droplet leaves is moved to another one in the middle of its session. The droplets get different shares of the traffic, so draining can only wait for a missing check.',
  ),
  'backend-keepalive': entry(
    'balancer',
    'warning',
    'connections to the droplets that stay open between requests',
    'An open connection says nothing about a request, and a missing share of new ones proves nothing: each droplet that leaves has to stay silent first.',
  ),
  'check-interval': entry(
    'balancer',
    'warning',
    'health checks that make each droplet slow',
    'A droplet leaves and rejoins only as fast as the balancer checks it.',
  ),
  'target-port-unpublished': entry(
    'balancer',
    'error',
    'a port of the balancer that no service publishes',
    'Nothing answers the balancer at that port.',
  ),
  'target-port-loopback': entry(
    'balancer',
    'error',
    'a port of the balancer that is published on the loopback address only',
    'The balancer connects to the private address of the droplet, where nothing listens.',
  ),
  'other-region': entry(
    'balancer',
    'error',
    'a droplet in another region than its balancer',
    'A regional balancer reaches droplets of its own region only.',
  ),
  'other-vpc': entry(
    'balancer',
    'error',
    'a droplet in another VPC than its balancer',
    'The balancer sends traffic through its own VPC, where this droplet is not.',
  ),
  'firewall-balancer': entry(
    'balancer',
    'error',
    'a cloud firewall that does not admit the balancer',
    'Its health checks and all traffic are dropped before they reach the droplet.',
  ),
  'firewall-ssh': entry(
    'balancer',
    'error',
    'a cloud firewall that does not admit SSH',
    'do-deploy cannot reach the droplet.',
  ),

  // --- droplets ---
  'not-running': entry(
    'droplets',
    'error',
    'a droplet that is off',
    'It does not serve, and a deploy refuses to begin.',
  ),
  'docker-old': entry('droplets', 'warning', 'Docker before 20.10', 'do-deploy is not tested with it.'),
  'docker-differs': entry(
    'droplets',
    'warning',
    'another version of Docker than on the other droplets',
    'What works on one droplet may fail on the next.',
  ),
  'compose-differs': entry(
    'droplets',
    'warning',
    'another version of compose than on the other droplets',
    'It may read the compose files differently.',
  ),
  'disk-low': entry('droplets', 'warning', 'less than 1 GB free', 'A deploy is refused below 512 MB.'),
  'store-differs': entry(
    'droplets',
    'warning',
    'another image store than on the other droplets',
    'The same image has another id there, and takes another amount of disk.',
  ),
  'memory-low': entry(
    'droplets',
    'warning',
    'almost no free memory, and no swap',
    'While compose replaces containers, or pulls an image, the kernel may kill the app.',
  ),
  clock: entry(
    'droplets',
    'warning',
    'a wrong clock',
    'Certificates, logs and the times of releases become unreliable.',
  ),
  'connections-uncounted': entry(
    'droplets',
    'warning',
    'connections that the SSH user may not count',
    'Draining then waits by time instead of watching the balancer let go.',
  ),
  'other-processor': entry(
    'droplets',
    'warning',
    'another processor than the other droplets have',
    'An image needs a variant for each of them.',
  ),

  // --- compose ---
  'compose-doubt': entry(
    'compose',
    'warning',
    'what compose warns about',
    'Compose goes on, often with an empty value.',
  ),
  'healthcheck-missing': entry(
    'compose',
    'warning',
    'a service without a healthcheck',
    'It counts as healthy once it has run for 3 s, so a droplet can go back into rotation before the app serves, and an app that hangs is not noticed.',
  ),
  'healthcheck-slow': entry(
    'compose',
    'warning',
    'a first healthcheck that comes late',
    'Each droplet waits for it, out of rotation.',
  ),
  'healthcheck-impatient': entry(
    'compose',
    'warning',
    'a healthcheck that gives up early, without `start_period`',
    'An app that starts more slowly than usual is called unhealthy, and the droplet is taken back.',
  ),
  'restart-missing': entry(
    'compose',
    'warning',
    'a service without a restart policy',
    'After a crash or a restart of the droplet it stays down.',
  ),
  'docker-socket': entry(
    'compose',
    'warning',
    'a service that gets the socket of a Docker that refuses old clients',
    'Docker 29 refuses clients before API 1.44, such as Traefik before 3.6.1: the service runs and sees no containers.',
  ),

  // --- env files ---
  'file-missing': entry(
    'env files',
    'error',
    'a file that the configuration names and that does not exist',
    'A deploy ends with exit code 2 before it contacts anything.',
  ),
  'file-encrypted': entry(
    'env files',
    'error',
    'an env file that is still encrypted',
    'Containers would get the encrypted text.',
  ),
  'variable-missing': entry(
    'env files',
    'error',
    'a variable that is required and that no env file sets',
    'A deploy ends with exit code 2 before it contacts anything.',
  ),
  'variable-blank': entry(
    'env files',
    'error',
    'a variable that is required and blank',
    'A deploy ends with exit code 2 before it contacts anything.',
  ),
  'env-file-dollar': entry(
    'env files',
    'warning',
    'a dollar sign that compose takes for a variable',
    'Containers get the value without what stands behind the dollar sign.',
  ),
  'env-file-open': entry(
    'env files',
    'warning',
    'an env file that other users of this machine can read',
    'It may hold secrets. (On the droplets it is readable for its owner only.)',
    'takes the permissions of all others away (`chmod 600`)',
  ),
  'env-file-tracked': entry(
    'env files',
    'warning',
    'an env file with secrets that git tracks',
    'Everybody who has the repository has the secrets, also of earlier commits.',
  ),
  'env-file-unignored': entry(
    'env files',
    'warning',
    'an env file with secrets that git does not ignore',
    'The next `git add --all` commits it.',
    'adds it to `.gitignore`',
  ),

  // --- registry ---
  'image-unavailable': entry(
    'registry',
    'error',
    'an image that its registry does not show',
    'The pull would fail on every droplet.',
  ),
  'image-platform': entry(
    'registry',
    'error',
    "an image without a variant for a droplet's processor",
    'The pull would fail, or its containers would end with "exec format error".',
  ),
  'registry-login': entry('registry', 'error', 'a login that the registry refuses', 'Private images cannot be pulled.'),

  // --- leftovers ---
  'lease-held': entry(
    'leftovers',
    'warning',
    'another run that holds the lock',
    'A deploy would end with exit code 3. What is reported here may be its doing.',
  ),
  'recorded-as-out': entry(
    'leftovers',
    'warning',
    'a droplet that serves and is still recorded as out',
    'The next deploy begins with it, and `heal` asks about it.',
    'clears the record as `heal` does, if nothing else is to be repaired',
  ),
  'out-of-rotation': entry(
    'leftovers',
    'error',
    'a droplet that is out of rotation',
    'It gets no traffic, and the capacity floor counts it as out.',
  ),
  'taken-out-by-hand': entry(
    'leftovers',
    'warning',
    'a droplet that a person took out of rotation',
    'It gets no traffic and no release until a person brings it back.',
  ),
  departed: entry(
    'leftovers',
    'warning',
    'a droplet of the last rollout that is no longer in the fleet',
    'No deploy reaches it. It may still run an old release.',
  ),
  'no-release': entry(
    'leftovers',
    'warning',
    'a droplet without a release, in a fleet that has one',
    'If it gets traffic, it cannot answer as the others do.',
  ),
  'other-release': entry(
    'leftovers',
    'warning',
    'a droplet on another release than the fleet',
    'Clients see two versions.',
  ),
  'half-done': entry(
    'leftovers',
    'error',
    'a switch that was never finished',
    'What the droplet runs was not verified.',
  ),
  'file-changed': entry(
    'leftovers',
    'warning',
    'a file of the release that was edited on the droplet',
    'The next deploy replaces the edit.',
  ),
  'file-gone': entry(
    'leftovers',
    'warning',
    'a file of the release that is gone from the droplet',
    'Containers that mount it fail when they start next.',
  ),
  'image-differs': entry(
    'leftovers',
    'warning',
    'a container with another image than its release',
    'The droplet does not run what was deployed.',
  ),
  'container-missing': entry(
    'leftovers',
    'error',
    'a container that is missing',
    'The droplet does not run its release.',
  ),
  'container-not-healthy': entry(
    'leftovers',
    'error',
    'a container that is not healthy',
    'The droplet does not serve as it should.',
  ),
  'release-disputed': entry(
    'leftovers',
    'warning',
    'a fleet whose release is in doubt',
    '`adopt` refuses to bring droplets to it.',
  ),
  'staging-leftover': entry(
    'leftovers',
    'warning',
    'a release that was never staged completely',
    'It takes disk. A deploy that was killed while it uploaded leaves such a folder.',
  ),
  'release-unproven': entry(
    'leftovers',
    'warning',
    'a release that failed, and is still on the droplet with its images',
    'It takes disk, and a rollback by its name would bring it back.',
  ),
  'image-gone': entry(
    'leftovers',
    'warning',
    'a release to go back to whose image was removed',
    'A rollback to it is refused.',
  ),
  'check-redirected': entry(
    'balancer',
    'error',
    'a health check that is answered with a redirect',
    'The balancer takes only 200 to 299 as healthy.',
  ),
  'check-needs-host': entry(
    'balancer',
    'error',
    'a health check that the app refuses for its Host header',
    'The balancer asks by address, with none of the names of the app.',
  ),
  'check-needs-login': entry(
    'balancer',
    'error',
    'a health check that needs a login',
    'The balancer takes only 200 to 299 as healthy.',
  ),
  'check-path-missing': entry(
    'balancer',
    'error',
    'a health check whose path does not exist',
    'The balancer takes only 200 to 299 as healthy.',
  ),
  'check-app-error': entry(
    'balancer',
    'error',
    'a health check that the app answers with an error',
    'The balancer takes only 200 to 299 as healthy.',
  ),
  'check-fails': entry('balancer', 'error', 'a health check that fails in another way', 'The droplet gets no traffic.'),
} as const satisfies Record<string, Entry>;

export type FindingName = keyof typeof CATALOGUE;
