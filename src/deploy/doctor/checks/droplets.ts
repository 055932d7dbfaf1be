/** The machines: what they are, and how they differ from each other. */
import type { Difference } from '../../../rollout/drift.js';
import { sizeText } from '../../../sizes.js';
import { capital } from '../../core/sentences.js';
import { PORT_COUNTERS } from '../../drain/traffic-command.js';
import type { FindingName } from '../catalogue.js';
import type { DropletFacts, Facts, RoleFacts } from '../facts.js';
import type { Found } from '../found.js';

/** Below this, memory and swap together are too little for a pull beside a running app. */
const LOW_MEMORY_BYTES = 100 * 1024 * 1024;

export function checkDroplets({ roles, refused }: Facts): Found[] {
  const full = new Set(refused.flatMap(({ error, droplet }) => (error.code === 'disk-full' ? droplet : [])));
  return roles.flatMap((role) => [
    ...role.differences.flatMap((one) => (one.kind === 'disk-low' && full.has(one.droplet) ? [] : ofMachine(one))),
    ...role.droplets.flatMap(memory),
    ...role.droplets.flatMap((droplet) => counters(droplet, role)),
    ...unlike(role.droplets, 'other-processor', ({ machine }) => machine?.architecture, 'has the processor'),
    ...unlike(role.droplets, 'store-differs', ({ machine }) => machine?.store, 'has the image store of'),
  ]);
}

/** Differences that `status --check` finds, and that are about the machine. */
const MACHINES: Partial<Record<Difference['kind'], { name: FindingName; fix: string }>> = {
  'docker-old': { name: 'docker-old', fix: 'Update Docker on it, out of rotation: do-deploy droplet out.' },
  'docker-differs': {
    name: 'docker-differs',
    fix: 'Update Docker on the older ones, out of rotation: do-deploy droplet out.',
  },
  'compose-differs': { name: 'compose-differs', fix: 'Update the package docker-compose-plugin on the older ones.' },
  'disk-low': { name: 'disk-low', fix: 'See what takes the space: docker system df.' },
  clock: { name: 'clock', fix: 'Turn time synchronisation on: sudo timedatectl set-ntp true' },
  'not-running': { name: 'not-running', fix: 'Power it on in the control panel, or take it out of the fleet.' },
};

function ofMachine({ kind, droplet, message }: Difference): Found[] {
  const known = MACHINES[kind];
  if (known === undefined) return [];
  return [{ ...known, droplet, message: `${capital(message.replace(/: \S+ \S+ sudo timedatectl .*$/, ''))}.` }];
}

function memory({ name, machine, login }: DropletFacts): Found[] {
  const { availableBytes, swapBytes = 0 } = machine ?? {};
  if (availableBytes === undefined || availableBytes + swapBytes >= LOW_MEMORY_BYTES) return [];
  const message = `Only ${sizeText(availableBytes)} of memory are available, and ${sizeText(swapBytes)} of swap.`;
  const fix = `See what takes it: ${login} docker stats --no-stream. \`do-deploy bootstrap\` adds swap.`;
  return [{ name: 'memory-low', droplet: name, message, fix }];
}

function counters({ name, machine, docker, login }: DropletFacts, { balancer }: RoleFacts): Found[] {
  if (balancer === undefined || docker === undefined || machine === undefined || machine.mayCount) return [];
  return [
    {
      name: 'connections-uncounted',
      droplet: name,
      message: `The SSH user may not run \`sudo -n ${PORT_COUNTERS}\`: each droplet that leaves waits 30 s or more instead.`,
      fix: `Run \`do-deploy bootstrap\`, or allow this one command: ${login} sudo visudo -f /etc/sudoers.d/do-deploy`,
    },
  ];
}

/** Droplets that differ from what most have. */
function unlike(
  droplets: readonly DropletFacts[],
  name: FindingName,
  of: (droplet: DropletFacts) => string | undefined,
  words: string,
): Found[] {
  const values = droplets.map(of);
  const count = (value: string) => values.filter((one) => one === value).length;
  const known = [...new Set(values.flatMap((value) => value ?? []))].sort((a, b) => count(b) - count(a));
  const [usual] = known;
  return droplets.flatMap((droplet): Found[] => {
    const own = of(droplet);
    if (own === undefined || own === usual) return [];
    const message = `It ${words} ${own}, and most others that of ${usual}.`;
    const fix = 'Replace it by a droplet like the others, or make them alike.';
    return [{ name, droplet: droplet.name, message, fix }];
  });
}
