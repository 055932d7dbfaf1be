import { z } from 'zod';
import { type ConfigDocument, isTreeMap, showPath, type Tree, valueAt } from '../document.js';
import { parseDuration } from '../duration.js';
import { ENVIRONMENT_NAME, ENVIRONMENT_NAME_RULE, SERVICE_NAME, SERVICE_NAME_RULE } from '../names.js';
import type { ProblemList } from '../problems.js';
import { defineSection, type SectionContext } from '../section.js';
import type { RoleSettings, TargetSettings } from '../settings.js';
import { anyText, duration, map, text, wholeNumber } from '../values.js';
import { env } from './env.js';
import { files } from './files.js';
import { profileNames, sorted } from './profiles.js';
import { batch, minInRotation } from './rollout.js';

const TAG = 'must be the name of a DigitalOcean tag: letters a-z, digits and : _ -';

const IDS = "must be a list of droplets' ids or names";

/** As DigitalOcean takes them. */
const DROPLET_NAME = /^[A-Za-z0-9.-]+$/;
const DROPLET_NAME_RULE = "must be a droplet's id, or its name: letters a-z, digits and . -";

const SERVICES = "must be a list of two or more different services' names";

const REPLICAS_TIMEOUT = '60s';

/** What the ledger and the anchors are written in. */
const OWN_TAGS = /^do-deploy:/i;

const loadBalancer = anyText("must be a load balancer's id or name").meta({
  description: 'Id or name of the load balancer whose droplets are deployed.',
  examples: ['$LOAD_BALANCER', 'web'],
});

const droplet = wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be a droplet's id, a number", {
  description: 'Id of a single droplet to deploy, without a load balancer.',
  examples: ['$STAGING_DROPLET_ID', 3164494],
});

const droplets = z
  .array(
    z.union(
      [z.int({ error: DROPLET_NAME_RULE }).min(1, { error: DROPLET_NAME_RULE }), text(DROPLET_NAME_RULE, DROPLET_NAME)],
      {
        error: DROPLET_NAME_RULE,
      },
    ),
    { error: IDS },
  )
  .min(1, { error: IDS })
  .meta({
    description:
      'Ids or names of droplets to deploy, without a load balancer. A name must be that of one droplet only.',
    examples: [
      [3164494, 3164495],
      ['worker-1', '$SECOND_WORKER'],
    ],
  })
  .transform((list) => [...new Set(list.map(idOrName))]);

const tag = text(TAG, /^[A-Za-z0-9:_-]{1,255}$/)
  .meta({
    description: 'DigitalOcean tag: every droplet of the account that has it is deployed, without a load balancer.',
    examples: ['workers'],
  })
  .refine((tag) => !OWN_TAGS.test(tag), {
    error: 'must not begin with `do-deploy:`, as the tags do that do-deploy keeps its records in',
  });

const KINDS = ['load_balancer', 'droplet', 'droplets', 'tag'] as const;

const ROLES = 'must be a map of names and roles';

const roles = z
  .record(
    text(ENVIRONMENT_NAME_RULE, ENVIRONMENT_NAME),
    map({
      load_balancer: loadBalancer,
      droplet,
      droplets,
      tag,
      profiles: profileNames,
      env: env.keys.env,
      files: files.keys.files,
      batch,
      min_in_rotation: minInRotation,
    }),
    { error: ROLES },
  )
  .meta({
    description:
      'Instead of one target: droplets that do different work and get one release together, role by role in this order. Each role has one target (`load_balancer`, `droplet`, `droplets` or `tag`) and may have `profiles`, `batch` and `min_in_rotation` of its own, and `env` and `files` besides those of the environment. See [targets.md](targets.md#roles).',
    examples: [
      {
        web: { load_balancer: 'web', profiles: ['web'] },
        worker: { tag: 'shop-worker', profiles: ['worker'], files: ['config/.env.worker'], batch: '50%' },
      },
    ],
  });

/** Where an environment's droplets come from. */
export const target = defineSection({
  scope: 'environment',
  literal: [['roles', '*', 'env', '*', 'pattern']],
  keys: {
    load_balancer: loadBalancer,
    autoscale_pool: anyText("must be an autoscale pool's id or name").meta({
      description:
        'Id or name of the autoscale pool that creates droplets for the load balancer. `do-deploy adopt ENVIRONMENT` puts them behind it once they run the release.',
      examples: ['web-pool'],
    }),
    droplet,
    replicas: map({
      services: z
        .array(text(SERVICE_NAME_RULE, SERVICE_NAME), { error: SERVICES })
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
    droplets,
    tag,
    roles,
  },
  check: checkTargets,
  resolve: (written, context): { target: TargetSettings; roles?: RoleSettings[] } => {
    nameServices(written.replicas, context);
    const [first, ...others] = resolveRoles(written.roles ?? {}, context);
    if (first === undefined) return { target: resolveTarget(written) };
    return { target: first.target, roles: [first, ...others] };
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
    release.services.push({ name, ...where, mayBeNew: false, isOneOff: false });
  }
}

type WrittenTarget = Parameters<typeof target.resolve>[0];

function resolveRoles(
  written: NonNullable<WrittenTarget['roles']>,
  { release, place }: SectionContext,
): RoleSettings[] {
  return Object.entries(written).map(([name, role]): RoleSettings => {
    for (const [index, entry] of (role.profiles ?? []).entries()) {
      const path = `roles.${name}.profiles[${index}]`;
      release.profiles.push({ entry, place: place('roles', name, 'profiles', index), path });
    }
    const names = role.profiles === undefined ? {} : { profiles: sorted(role.profiles) };
    return { name, target: resolveTarget(role), ...names, batch: role.batch, minInRotation: role.min_in_rotation };
  });
}

function resolveTarget(written: Omit<WrittenTarget, 'roles'>): TargetSettings {
  const { droplet, droplets, tag, load_balancer, autoscale_pool, replicas } = written;
  if (droplet !== undefined) {
    const { services, timeout = parseDuration(REPLICAS_TIMEOUT) ?? 0 } = replicas ?? {};
    return { kind: 'droplet', id: droplet, ...(services && { replicas: { services, timeoutMs: timeout } }) };
  }
  if (droplets !== undefined) return { kind: 'droplets', droplets };
  if (tag !== undefined) return { kind: 'tag', tag };
  return { kind: 'load_balancer', ref: load_balancer, pool: autoscale_pool };
}

const ONE_TARGET = 'write `load_balancer: NAME`, `droplet: ID`, `droplets: [ID, ID]` or `tag: NAME` below it';

/** Exactly one of the kinds in each. */
function checkRoles(
  roles: { [name: string]: Tree },
  path: readonly string[],
  document: ConfigDocument,
  problems: ProblemList,
): void {
  const names = Object.keys(roles);
  if (names.length === 0) problems.add(document.place(path), `${showPath(path)} has no roles`, 'name at least one');
  const targets = new Map<string, string>();
  for (const name of names) {
    const role = roles[name];
    if (!isTreeMap(role)) continue;
    const own = [...path, name];
    for (const kind of KINDS.filter((one) => role[one] !== undefined && !Array.isArray(role[one]))) {
      const written = `${kind}: ${String(role[kind])}`;
      const other = targets.get(written);
      const message = `${showPath(own)} has the same ${kind} as the role ${other}`;
      if (other !== undefined)
        problems.add(document.place([...own, kind]), message, 'a droplet has one role: give each its own droplets');
      targets.set(written, name);
    }
    const [first, ...others] = KINDS.filter((kind) => Object.hasOwn(role, kind));
    if (first === undefined) problems.add(document.place(own), `${showPath(own)} names no droplets`, ONE_TARGET);
    for (const other of others) {
      const message = `${showPath(own)} has both ${first} and ${other}`;
      problems.add(document.place([...own, other]), message, 'keep one of the two');
    }
  }
}

/** Exactly one of the kinds, or roles; a pool only with a balancer. */
function checkTargets(document: ConfigDocument, problems: ProblemList): void {
  const environments = valueAt(document.tree, ['environments']);
  if (!isTreeMap(environments)) return;
  for (const [name, section] of Object.entries(environments)) {
    if (!isTreeMap(section)) continue;
    const path = ['environments', name];
    const has = (key: string) => Object.hasOwn(section, key);
    const tell = (key: string[], message: string, remedy: string) =>
      problems.add(document.place([...path, ...key]), `${showPath(path)} ${message}`, remedy);

    const [first, ...others] = [...KINDS, 'roles'].filter(has);
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
    if (isTreeMap(section.roles)) checkRoles(section.roles, [...path, 'roles'], document, problems);
    if (first === undefined) tell([], 'names no droplets', ONE_TARGET);
  }
}
