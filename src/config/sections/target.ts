import { z } from 'zod';
import { type ConfigDocument, isTreeMap, showPath, valueAt } from '../document.js';
import { parseDuration } from '../duration.js';
import type { ProblemList } from '../problems.js';
import { defineSection, type SectionContext } from '../section.js';
import type { TargetSettings } from '../settings.js';
import { anyText, duration, map, text, wholeNumber } from '../values.js';

const TAG = 'must be the name of a DigitalOcean tag';

const IDS = "must be a list of droplets' ids or names";

const SERVICES = "must be a list of two or more different services' names";

const REPLICAS_TIMEOUT = '60s';

/** What the ledger and the anchors are written in. */
const OWN_TAGS = /^do-deploy:/i;

/** Where an environment's droplets come from. */
export const target = defineSection({
  scope: 'environment',
  keys: {
    load_balancer: anyText("must be a load balancer's id or name").meta({
      description: 'Id or name of the load balancer whose droplets are deployed.',
      examples: ['$LOAD_BALANCER', 'web'],
    }),
    autoscale_pool: anyText("must be an autoscale pool's id or name").meta({
      description:
        'Id or name of the autoscale pool that creates droplets for the load balancer. `do-deploy adopt ENVIRONMENT` puts them behind it once they run the release.',
      examples: ['web-pool'],
    }),
    droplet: wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be a droplet's id, a number", {
      description: 'Id of a single droplet to deploy, without a load balancer.',
      examples: ['$STAGING_DROPLET_ID', 3164494],
    }),
    replicas: map({
      services: z
        .array(text(SERVICES, /^[A-Za-z0-9][A-Za-z0-9._-]*$/), { error: SERVICES })
        .min(2, { error: SERVICES })
        .meta({
          description: 'Names of services in the compose files, in the order in which they are switched.',
          examples: [['web', 'web2']],
        })
        .refine((names) => new Set(names).size === names.length, { error: SERVICES }),
      timeout: duration({
        description: `Longest wait for one of them to become healthy. By default ${REPLICAS_TIMEOUT}.`,
        examples: ['60s'],
      }).refine((ms) => ms >= 1000, { error: 'must be at least 1s' }),
    }).meta({
      description:
        'Services of a single `droplet` that do the same work behind a proxy on it. They are switched one after the other, each verified healthy before the next is touched. See [targets.md](targets.md#replicas-on-one-droplet).',
      examples: [{ services: ['web', 'web2'] }],
    }),
    droplets: z
      .array(z.union([z.int({ error: IDS }).min(1, { error: IDS }), anyText(IDS)], { error: IDS }), { error: IDS })
      .min(1, { error: IDS })
      .meta({
        description:
          'Ids or names of droplets to deploy, without a load balancer. A name must be that of one droplet only.',
        examples: [
          [3164494, 3164495],
          ['worker-1', '$SECOND_WORKER'],
        ],
      })
      .transform((list) => [...new Set(list.map(idOrName))]),
    tag: text(TAG, /^[A-Za-z0-9:_-]{1,255}$/)
      .meta({
        description: 'DigitalOcean tag: every droplet of the account that has it is deployed, without a load balancer.',
        examples: ['workers'],
      })
      .refine((tag) => !OWN_TAGS.test(tag), {
        error: 'must not begin with `do-deploy:`, as the tags do that do-deploy keeps its records in',
      }),
  },
  check: checkTargets,
  resolve: (written, context): { target: TargetSettings } => {
    nameServices(written.replicas, context);
    return { target: resolveTarget(written) };
  },
});

/** As for `droplet:`, a variable holds an id as text. */
function idOrName(written: number | string): number | string {
  return typeof written === 'string' && /^[1-9]\d{0,14}$/.test(written) ? Number(written) : written;
}

/** So that a typo shows before anything is contacted. */
function nameServices(replicas: WrittenTarget['replicas'], { release, place }: SectionContext): void {
  for (const [index, name] of (replicas?.services ?? []).entries()) {
    const path = ['replicas', 'services', index] as const;
    const where = { path: `replicas.services[${index}]`, place: place(...path) };
    release.services.push({ name, ...where, mayBeGone: false, isOneOff: false });
  }
}

type WrittenTarget = Parameters<typeof target.resolve>[0];

function resolveTarget(written: WrittenTarget): TargetSettings {
  const { droplet, droplets, tag, load_balancer, autoscale_pool, replicas } = written;
  if (droplet !== undefined) {
    const { services, timeout = parseDuration(REPLICAS_TIMEOUT) ?? 0 } = replicas ?? {};
    return { kind: 'droplet', id: droplet, ...(services && { replicas: { services, timeoutMs: timeout } }) };
  }
  if (droplets !== undefined) return { kind: 'droplets', droplets };
  if (tag !== undefined) return { kind: 'tag', tag };
  return { kind: 'load_balancer', ref: load_balancer, pool: autoscale_pool };
}

const KINDS = ['load_balancer', 'droplet', 'droplets', 'tag'];

/** Exactly one of the kinds; a pool only with a balancer. */
function checkTargets(document: ConfigDocument, problems: ProblemList): void {
  const environments = valueAt(document.tree, ['environments']);
  if (!isTreeMap(environments)) return;
  for (const [name, section] of Object.entries(environments)) {
    if (!isTreeMap(section)) continue;
    const path = ['environments', name];
    const has = (key: string) => Object.hasOwn(section, key);
    const tell = (key: string[], message: string, remedy: string) =>
      problems.add(document.place([...path, ...key]), `${showPath(path)} ${message}`, remedy);

    const [first, ...others] = KINDS.filter(has);
    for (const other of others) {
      tell([other], `has both ${first} and ${other}`, 'keep one of the two');
    }
    if (has('autoscale_pool') && !has('load_balancer')) {
      const message = 'has an autoscale_pool, but no load_balancer to put its droplets behind';
      tell(['autoscale_pool'], message, 'write `load_balancer: NAME` beside it, or remove it');
    }
    if (has('replicas') && !has('droplet')) {
      const message = 'has replicas, which are services of a single droplet';
      tell(['replicas'], message, 'write `droplet: ID` beside it, or remove it');
    }
    const replicas = section.replicas;
    if (isTreeMap(replicas) && !Object.hasOwn(replicas, 'services')) {
      tell(['replicas'], 'has replicas without services', 'write `services: [web, web2]` below replicas');
    }
    if (first === undefined) {
      const remedy = 'write `load_balancer: NAME`, `droplet: ID`, `droplets: [ID, ID]` or `tag: NAME` below it';
      tell([], 'names no droplets', remedy);
    }
  }
}
