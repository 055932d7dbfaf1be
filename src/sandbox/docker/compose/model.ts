import type { Service } from './read-service.js';

/** A compose project as `docker compose config --format json` prints it: resolved, with absolute paths. */
export interface ComposeProject {
  name: string;
  services: Record<string, ServiceModel>;
  networks: Record<string, { name: string; [key: string]: unknown }>;
  volumes: Record<string, { name: string; [key: string]: unknown }>;
  /** Names of services whose profiles are off; `config` does not print them. */
  disabled: readonly string[];
}

/** A service after all files are merged and its env files are read. */
export interface ServiceModel extends Omit<Service, 'env_file' | 'environment'> {
  /** Also set if compose names the image itself because it is built. */
  image: string;
  /** The image's name is compose's own: `config` does not print it. */
  unnamed?: boolean;
  environment?: Record<string, string | null>;
}

/** How many containers the service wants. */
export function replicasOf(service: ServiceModel): number {
  return service.scale ?? service.deploy?.replicas ?? 1;
}
