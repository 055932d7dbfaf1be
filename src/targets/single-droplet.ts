/** One droplet by id, behind no balancer: staging. */
import { CloudError, DeployError } from '../errors.js';
import type { Cloud } from '../ports.js';
import type { FleetMembership } from './target.js';
import { WithoutBalancer } from './without-balancer.js';

export class SingleDropletTarget extends WithoutBalancer {
  readonly description: string;
  readonly isFleet = false;
  readonly #cloud: Cloud;
  readonly #id: number;

  constructor(cloud: Cloud, id: number) {
    super();
    this.#cloud = cloud;
    this.#id = id;
    this.description = `droplet ${id}`;
  }

  async readMembership(): Promise<FleetMembership> {
    try {
      const droplet = await this.#cloud.getDroplet(this.#id);
      return { droplets: [{ droplet, rotation: 'none', inLedger: false }] };
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'not-found') {
        throw new DeployError('droplet-not-found', `There is no droplet ${this.#id}.`, {
          source: 'user',
          hint: "Set droplet: in the configuration file (or STAGING_DROPLET_ID) to the id in the URL of the droplet's page in the control panel.",
          cause: error,
        });
      }
      throw error;
    }
  }
}
