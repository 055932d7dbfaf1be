import { type ConfigDocument, isTreeMap, showPath, valueAt } from '../document.js';
import type { ProblemList } from '../problems.js';
import { defineSection } from '../section.js';
import type { TargetSettings } from '../settings.js';
import { anyText, wholeNumber } from '../values.js';

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
  },
  check: checkTargets,
  resolve: ({ droplet, load_balancer, autoscale_pool }): { target: TargetSettings } => ({
    target:
      droplet === undefined
        ? { kind: 'load_balancer', ref: load_balancer, pool: autoscale_pool }
        : { kind: 'droplet', id: droplet },
  }),
});

/** Exactly one of load_balancer and droplet; a pool only with the former. */
function checkTargets(document: ConfigDocument, problems: ProblemList): void {
  const environments = valueAt(document.tree, ['environments']);
  if (!isTreeMap(environments)) return;
  for (const [name, section] of Object.entries(environments)) {
    if (!isTreeMap(section)) continue;
    const path = ['environments', name];
    const has = (key: string) => Object.hasOwn(section, key);
    const tell = (key: string[], message: string, remedy: string) =>
      problems.add(document.place([...path, ...key]), `${showPath(path)} ${message}`, remedy);

    if (has('load_balancer') && has('droplet')) {
      tell(['droplet'], 'has both load_balancer and droplet', 'keep one of the two');
    }
    if (has('autoscale_pool') && !has('load_balancer')) {
      const message = 'has an autoscale_pool, but no load_balancer to put its droplets behind';
      tell(['autoscale_pool'], message, 'write `load_balancer: NAME` beside it, or remove it');
    }
    if (!has('load_balancer') && !has('droplet')) {
      const remedy = 'write `load_balancer: NAME` or `droplet: ID` below it';
      tell([], 'names neither load_balancer nor droplet', remedy);
    }
  }
}
