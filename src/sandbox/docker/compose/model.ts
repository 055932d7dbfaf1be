/** A compose project as `docker compose config --format json` prints it: everything resolved, paths absolute. */
export interface ComposeProject {
  name: string;
  services: Record<string, ServiceModel>;
  networks: Record<string, { name: string; [key: string]: unknown }>;
  volumes: Record<string, { name: string; [key: string]: unknown }>;
}

export interface ServiceModel {
  /** Always there, also for one that compose names by itself because it is built: then `config` does not print it. */
  image: string;
  unnamed?: true;
  build?: BuildModel;
  command: string[] | null;
  entrypoint: string[] | null;
  depends_on?: Record<string, Dependency>;
  deploy?: { replicas?: number; [key: string]: unknown };
  environment?: Record<string, string | null>;
  expose?: string[];
  extra_hosts?: string[];
  healthcheck?: HealthcheckModel;
  hostname?: string;
  init?: boolean;
  labels?: Record<string, string>;
  logging?: unknown;
  mem_limit?: string;
  networks: Record<string, unknown>;
  ports?: PortModel[];
  profiles?: string[];
  restart?: string;
  scale?: number;
  stop_grace_period?: string;
  ulimits?: unknown;
  user?: string;
  volumes?: VolumeModel[];
  working_dir?: string;
}

/** Absolute context; the Dockerfile is relative to it. */
export interface BuildModel {
  context: string;
  dockerfile: string;
}

export interface Dependency {
  condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  required: boolean;
  restart?: boolean;
}

/** Durations in Go's form. */
export interface HealthcheckModel {
  test?: string[];
  interval?: string;
  timeout?: string;
  retries?: number;
  start_period?: string;
  start_interval?: string;
  disable?: boolean;
}

export interface PortModel {
  mode: string;
  host_ip?: string;
  target: number;
  /** Absent: any free port. */
  published?: string;
  protocol: string;
}

export interface VolumeModel {
  type: 'bind' | 'volume';
  /** Absent: an anonymous volume. */
  source?: string;
  target: string;
  read_only?: boolean;
  bind?: { create_host_path?: boolean };
  volume?: Record<string, never>;
}

/** What one compose file says of a service, in the same form. `env_file` is resolved after the files are merged. */
export interface PartialService extends Partial<ServiceModel> {
  env_file?: { path: string; required: boolean }[];
}

/** How many containers the service wants. */
export function replicasOf(service: ServiceModel): number {
  return service.scale ?? service.deploy?.replicas ?? 1;
}
