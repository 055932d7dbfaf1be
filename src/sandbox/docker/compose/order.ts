import { invalidProject } from './invalid.js';
import type { ServiceModel } from './model.js';

/** The services, each after those that it depends on. Throws for cycles. */
export function inDependencyOrder(services: Record<string, ServiceModel>): [name: string, service: ServiceModel][] {
  const ordered = new Map<string, ServiceModel>();
  const visit = (name: string, path: string[]): void => {
    const service = services[name];
    if (service === undefined) return;
    if (path.includes(name)) throw invalidProject(`dependency cycle detected: ${[...path, name].join(' -> ')}`);
    for (const other of Object.keys(service.depends_on ?? {})) visit(other, [...path, name]);
    ordered.set(name, service);
  };
  for (const name of Object.keys(services)) visit(name, []);
  return [...ordered];
}
