import type { Layer } from './layer.js';

// Each layer knows the type of its own settings.
// biome-ignore lint/suspicious/noExplicitAny: see above
type AnyLayer = Layer<any>;

/** The built-in layers, by name. Each is loaded only by a project that uses it. */
export const LAYERS: Readonly<Record<string, () => Promise<{ default: AnyLayer }>>> = {
  checklist: () => import('./checklist.js'),
  datadog: () => import('./datadog.js'),
  discord: () => import('./discord.js'),
  email: () => import('./email.js'),
  grafana: () => import('./grafana.js'),
  mattermost: () => import('./mattermost.js'),
  migrate: () => import('./migrate.js'),
  opentelemetry: () => import('./opentelemetry.js'),
  sentry: () => import('./sentry.js'),
  slack: () => import('./slack.js'),
  teams: () => import('./teams.js'),
  webhook: () => import('./webhook.js'),
  workers: () => import('./workers.js'),
};
