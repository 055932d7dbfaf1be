/**
 * Sentry: a release with its commits before the new version serves, and its deploy record once it serves everywhere.
 * https://docs.sentry.io/api/releases/
 */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { post } from './post.js';
import { serviceUrl, token, words } from './settings.js';

const SLUG_ERROR = 'must be the slug of a project, or a list of them';
const slug = (error: string) => z.string({ error }).regex(/^[a-z0-9][\w-]{0,99}$/i, { error });

/** Sentry's own limit on the name of a deploy. */
const MAX_NAME = 64;

const config = z.strictObject({
  org: slug('must be the slug of an organization'),
  project: z
    .union([slug(SLUG_ERROR), z.array(slug(SLUG_ERROR), { error: SLUG_ERROR }).min(1, { error: SLUG_ERROR })], {
      error: SLUG_ERROR,
    })
    .transform((written) => [written].flat()),
  token: token(),
  url: serviceUrl().default('https://sentry.io'),
  environment: words(64).optional(),
  version: z.enum(['image_tag', 'commit'], { error: 'must be image_tag or commit' }).default('image_tag'),
  repository: words().optional(),
});

type Context = LayerContext<z.output<typeof config>>;

/** Runs, by their settings, whose release was created: a second time, Sentry would look for its commits again. */
const created = new WeakSet<object>();

export default defineLayer({
  name: 'sentry',
  kind: 'third-party',
  config,
  secrets: ['token'],
  mayFail: true,
  on: {
    async deploy(payload, context) {
      if (isRelease(payload)) await createRelease(payload, context);
    },
    async deploy_succeeded(payload, context) {
      if (!isRelease(payload)) return;
      if (!created.delete(context.config)) await createRelease(payload, context);
      created.delete(context.config);
      const release = `releases/${encodeURIComponent(versionOf(payload, context))}/`;
      await send(context, 'POST', `${release}deploys/`, deployRecord(payload, context));
      // After a rollback, the newest release is still the newest.
      if (payload.command === 'deploy') await send(context, 'PUT', release, { dateReleased: payload.at });
    },
    deploy_failed(_, { config }) {
      created.delete(config);
    },
  },
});

/** `heal` and `adopt` bring droplets to what was released before. */
function isRelease({ command }: LifecyclePayload): boolean {
  return command === 'deploy' || command === 'rollback';
}

function versionOf({ release }: LifecyclePayload, { config }: Context): string {
  return config.version === 'commit' ? (release.commit ?? release.imageTag) : release.imageTag;
}

async function createRelease(payload: LifecyclePayload, context: Context): Promise<void> {
  const { project, repository } = context.config;
  // The commits of an earlier version were set when it was released.
  const commit = payload.command === 'deploy' ? payload.release.commit : undefined;
  const previousCommit = payload.previousCommit === commit ? undefined : payload.previousCommit;
  const refs = commit && repository && [{ repository, commit, previousCommit }];
  const commits = commit && !repository && [{ id: commit }];
  await send(context, 'POST', 'releases/', {
    version: versionOf(payload, context),
    projects: project,
    ...(commit && { ref: commit }),
    ...(refs && { refs }),
    ...(commits && { commits }),
  });
  created.add(context.config);
}

function deployRecord({ at, durationMs = 0, release, environment, url }: LifecyclePayload, { config }: Context) {
  return {
    environment: config.environment ?? environment,
    name: release.id.slice(0, MAX_NAME),
    url: isPublicUrl(url) ? url : undefined,
    dateStarted: new Date(Date.parse(at) - durationMs).toISOString(),
    dateFinished: at,
    projects: config.project,
  };
}

/** Sentry refuses an address whose host has no dot, such as that of a CI server in a private network. */
function isPublicUrl(url: string | undefined): boolean {
  return url !== undefined && URL.canParse(url) && /^https?:/.test(url) && new URL(url).hostname.includes('.');
}

async function send(context: Context, method: 'POST' | 'PUT', path: string, body: object): Promise<void> {
  const { url, org, token } = context.config;
  const headers = { authorization: `Bearer ${token}` };
  const address = `${url}/api/0/organizations/${encodeURIComponent(org)}/${path}`;
  await post(context, { service: 'Sentry', url: address, method, headers, body });
}
