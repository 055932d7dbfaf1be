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

const DOCUMENTS: Readonly<Record<string, string>> = {
  checklist: 'docs/monitoring-layers.md#checklist',
  datadog: 'docs/monitoring-layers.md#datadog',
  discord: 'docs/notifiers.md#discord',
  email: 'docs/notifiers.md#mail',
  grafana: 'docs/monitoring-layers.md#grafana',
  mattermost: 'docs/notifiers.md#mattermost',
  migrate: 'docs/layers.md#migrate',
  opentelemetry: 'docs/monitoring-layers.md#opentelemetry',
  sentry: 'docs/monitoring-layers.md#sentry',
  slack: 'docs/notifiers.md#slack',
  teams: 'docs/notifiers.md#microsoft-teams',
  webhook: 'docs/notifiers.md#webhook',
  workers: 'docs/layers.md#workers',
};

/** Where the settings of a built-in layer are described. */
export function documentOf(name: string): string | undefined {
  return Object.hasOwn(DOCUMENTS, name) ? DOCUMENTS[name] : undefined;
}
