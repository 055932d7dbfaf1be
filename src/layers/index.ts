import type { Layer } from './layer.js';

// Each layer knows the type of its own settings.
// biome-ignore lint/suspicious/noExplicitAny: see above
type AnyLayer = Layer<any>;

/** The built-in layers, by name. Each is loaded only by a project that uses it. */
export const LAYERS: Readonly<Record<string, () => Promise<{ default: AnyLayer }>>> = {
  migrate: () => import('./migrate.js'),
  workers: () => import('./workers.js'),
  checklist: () => import('./checklist.js'),
  datadog: () => import('./datadog.js'),
  grafana: () => import('./grafana.js'),
  opentelemetry: () => import('./opentelemetry.js'),
  sentry: () => import('./sentry.js'),
};
