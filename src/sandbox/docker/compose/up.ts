import { setMaxListeners } from 'node:events';
import type { Container } from '../container.js';
import type { Engine } from '../engine.js';
import { DockerFailure } from '../failure.js';
import { ServicePlan } from './container-spec.js';
import { type ComposeProject, replicasOf, type ServiceModel } from './model.js';
import { inDependencyOrder } from './order.js';

export interface UpOptions {
  /** Added to every container: where the project comes from. */
  labels: Record<string, string>;
  /** Also recreates unchanged containers. */
  forceRecreate: boolean;
  /** Names of services, with `--no-deps`; empty: all of them, with `--remove-orphans`. */
  only: readonly string[];
  /** Aborts when the client is gone: compose then stops between two steps. */
  signal: AbortSignal;
  /** Prints a line of progress. */
  print(line: string): void;
}

/**
 * `docker compose up --detach --pull never --remove-orphans`: creates every service's containers, or recreates changed ones, then starts
 * them in the order of `depends_on`. With `--no-deps SERVICE…` only these, and nothing is waited for.
 */
export async function up(engine: Engine, project: ComposeProject, options: UpOptions): Promise<void> {
  const unknown = options.only.find((name) => project.services[name] === undefined);
  if (unknown !== undefined) throw new DockerFailure(`no such service: ${unknown}`);
  const isWhole = options.only.length === 0;
  const wanted = inDependencyOrder(project.services).filter(([name]) => isWhole || options.only.includes(name));
  const plans = wanted.map(
    ([name, service]) => new ServicePlan(project, name, service, engine.images.mustFind(service.image).image),
  );
  if (plans.length === 0) throw new DockerFailure('no service selected');
  if (isWhole) removeOrphans(engine, project, options);
  for (const plan of plans) converge(engine, project, plan, options);
  await startAll(engine, project, plans, options);
}

/** Containers of the project, found by label like compose does. */
export function containersOf(engine: Engine, project: string, service?: string): Container[] {
  return engine
    .containers({
      'com.docker.compose.project': project,
      'com.docker.compose.oneoff': 'False',
      ...(service !== undefined && { 'com.docker.compose.service': service }),
    })
    .sort((one, other) => numberOf(one) - numberOf(other));
}

function numberOf({ spec }: Container): number {
  return Number(spec.labels['com.docker.compose.container-number']);
}

/** As in compose, a service whose profiles are off is no orphan: its containers stay as they are. */
function removeOrphans(engine: Engine, project: ComposeProject, options: UpOptions): void {
  const known = new Set([...Object.keys(project.services), ...project.disabled]);
  const orphans = containersOf(engine, project.name).filter(({ service }) => !known.has(service));
  for (const orphan of orphans) remove(engine, orphan, options);
}

function converge(engine: Engine, project: ComposeProject, plan: ServicePlan, options: UpOptions): void {
  const existing = containersOf(engine, project.name, plan.name);
  const wanted = replicasOf(plan.service);
  for (const surplus of existing.slice(wanted)) remove(engine, surplus, options);
  const kept = existing.slice(0, wanted);
  for (const container of kept) {
    if (plan.isMetBy(container.spec.labels) && !options.forceRecreate)
      options.print(` Container ${container.name}  Running`);
    else recreate(engine, container, plan, options);
  }
  const taken = new Set(kept.map(numberOf));
  for (let number = 1; taken.size < wanted; number += 1) {
    if (taken.has(number)) continue;
    taken.add(number);
    options.signal.throwIfAborted();
    const name = `${project.name}-${plan.name}-${number}`;
    engine.createContainer(name, plan.containerSpec(engine, number, options.labels));
    options.print(` Container ${name}  Created`);
  }
}

/** Creates the new container first: if that fails, the old one keeps running. */
function recreate(engine: Engine, old: Container, plan: ServicePlan, options: UpOptions): void {
  options.signal.throwIfAborted();
  const { name } = old;
  const fresh = engine.createContainer(
    `${old.id.slice(0, 12)}_${name}`,
    plan.containerSpec(engine, numberOf(old), options.labels),
  );
  engine.removeContainer(old);
  fresh.name = name;
  options.print(` Container ${name}  Recreated`);
}

function remove(engine: Engine, container: Container, options: UpOptions): void {
  options.signal.throwIfAborted();
  engine.removeContainer(container);
  options.print(` Container ${container.name}  Removed`);
}

/** Each service waits for those that it depends on; the first failure ends all waits. */
async function startAll(
  engine: Engine,
  project: ComposeProject,
  plans: ServicePlan[],
  options: UpOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // Every container that is waited for adds a listener.
  setMaxListeners(0, signal);
  const begun = new Map<string, Promise<void>>();

  const start = async ({ name, service }: ServicePlan): Promise<void> => {
    const needed = options.only.length > 0 ? {} : (service.depends_on ?? {});
    for (const [other, dependency] of Object.entries(needed)) {
      await begun.get(other);
      await waitFor(engine, project, other, dependency, signal);
    }
    for (const container of containersOf(engine, project.name, name)) {
      signal.throwIfAborted();
      if (container.running) continue;
      container.start();
      options.print(` Container ${container.name}  Started`);
    }
  };
  for (const plan of plans) {
    const started = start(plan);
    started.catch((error: unknown) => failed.abort(error));
    begun.set(plan.name, started);
  }
  await Promise.allSettled(begun.values());
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function waitFor(
  engine: Engine,
  project: ComposeProject,
  name: string,
  { condition, required }: NonNullable<ServiceModel['depends_on']>[string],
  signal: AbortSignal,
): Promise<void> {
  if (condition === 'service_started' || project.services[name] === undefined) return;
  const met = condition === 'service_healthy' ? isHealthy : hasCompleted;
  try {
    await Promise.all(containersOf(engine, project.name, name).map((container) => container.until(met, signal)));
  } catch (error) {
    if (required || !(error instanceof DockerFailure)) throw error;
  }
}

/** compose's isServiceHealthy. Throws DockerFailure once the container can no longer become healthy. */
function isHealthy(container: Container): boolean {
  const problem = (text: string) =>
    new DockerFailure(`dependency failed to start: container ${container.name} ${text}`);
  if (container.status === 'exited') throw problem(`exited (${container.exitCode})`);
  if (container.spec.health === undefined) throw problem('has no healthcheck configured');
  if (container.health?.status === 'unhealthy') throw problem('is unhealthy');
  return container.health?.status === 'healthy';
}

function hasCompleted(container: Container): boolean {
  if (container.status !== 'exited') return false;
  if (container.exitCode === 0) return true;
  throw new DockerFailure(
    `service ${JSON.stringify(container.service)} didn't complete successfully: exit ${container.exitCode}`,
  );
}
