/** Parses `docker compose config --format json`. Its text holds the environment of every service: never show it. */
import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { ServiceSpec } from '../../rollout/health.js';
import { configFile } from '../core/do-deploy.js';
import { isPort } from '../droplet/containers-command.js';
import { isChecked } from './check-compose.js';

const port = z.object({ published: z.union([z.string(), z.number()]).nullish(), protocol: z.string().nullish() });

const replicas = z.number().int().nonnegative();

const service = z.object({
  image: z.string().optional(),
  build: z.unknown().optional(),
  platform: z.string().nullish(),
  ports: z.array(port).nullish(),
  network_mode: z.string().nullish(),
  healthcheck: z
    .object({
      disable: z.boolean().optional(),
      test: z.array(z.string()).nullish(),
      start_interval: z.union([z.string(), z.number()]).nullish(),
    })
    .nullish(),
  depends_on: z.record(z.string(), z.object({ condition: z.string().optional() })).nullish(),
  deploy: z.object({ replicas: replicas.nullish() }).nullish(),
  scale: replicas.nullish(),
});

const config = z.object({ services: z.record(z.string(), service) });

export interface ComposeService extends ServiceSpec {
  /** The image is built on the droplet. */
  built: boolean;
  /** It has a healthcheck in the compose files. */
  checked: boolean;
  /** Its healthcheck has `start_interval`. */
  startInterval: boolean;
  /** The platform that the compose file asks for, such as linux/arm64; absent for the droplet's own. */
  platform?: string;
  /** Published tcp ports; ranges are left out. */
  published: number[];
}

/**
 * Throws DeployError compose-config or compose-no-image.
 * @param project.build services with a build context are built, and need no `image:`
 */
export function readComposeConfig(
  stdout: string,
  project: Pick<Settings, 'app' | 'build' | 'config'>,
): ComposeService[] {
  const services = parse(stdout);
  const awaited = new Set(
    Object.values(services).flatMap((one) =>
      Object.entries(one.depends_on ?? {})
        .filter(([, { condition }]) => condition === 'service_completed_successfully')
        .map(([name]) => name),
    ),
  );
  return Object.entries(services).map(([name, one]) => {
    const built = project.build === true && one.build != null;
    // Compose's default name for an image that it builds.
    const image = one.image ?? (built ? `${project.app}-${name}` : undefined);
    if (image === undefined) {
      throw new DeployError('compose-no-image', `The service ${name} has no image, and builds are off.`, {
        source: 'user',
        hint: `Add an \`image:\` that your CI builds and pushes, or set \`build: true\` below compose: in ${configFile(project)}.`,
      });
    }
    const { healthcheck } = one;
    const checked = isChecked(healthcheck);
    return {
      name,
      image,
      replicas: one.scale ?? one.deploy?.replicas ?? 1,
      stays: checked || (one.ports ?? []).length > 0,
      oneShot: awaited.has(name),
      built,
      checked,
      startInterval: checked && healthcheck?.start_interval != null,
      platform: one.platform ?? undefined,
      published: (one.ports ?? [])
        .filter(({ protocol }) => (protocol ?? 'tcp') === 'tcp')
        .map(({ published }) => Number(published ?? Number.NaN))
        .filter(isPort),
    };
  });
}

function parse(stdout: string): z.infer<typeof config>['services'] {
  try {
    return config.parse(JSON.parse(stdout)).services;
  } catch {
    // No cause: a JSON error quotes the text, which holds secrets.
    const message = 'docker compose config on the droplet printed a format that do-deploy does not support.';
    throw new DeployError('compose-config', message, {
      hint: 'Update the package docker-compose-plugin on the droplet.',
    });
  }
}
