/**
 * config/deploy.yml as written, after `$NAME` was replaced. The descriptions, examples and defaults here are the
 * configuration reference: the JSON Schema for editors and the table in the README are made from them.
 */
import { z } from 'zod';
import { DURATION, LONGEST_MS, parseDuration } from './duration.js';
import { APP_NAME, BRANCH, ENVIRONMENT_NAME, IMAGE_TAG } from './names.js';
import type { BatchSize } from './settings.js';

/** What every value falls back to. Files that end in `?` are optional. */
export const DEFAULTS = {
  image_tag: 'latest',
  api_url: 'https://api.digitalocean.com/v2',
  require_clean: false,
  compose: ['compose/docker-compose.yml', 'compose/docker-compose.{environment}.yml?'],
  files: ['config/.env.common?', 'config/.env.{environment}?', 'config/nginx/?'],
  ssh: {
    user: 'root',
    port: 22,
    config: '~/.ssh/config',
    known_hosts: '~/.ssh/known_hosts',
    host_keys: 'accept-new',
    address: 'public',
  },
  registry: { server: 'docker.io' },
  rollout: {
    batch: 1,
    drain: { timeout: '30s' },
    health: { timeout: '2m' },
    on_failure: 'revert-droplet',
    interrupt_grace: '60s',
  },
  keep_releases: 5,
} as const;

const text = (error: string, pattern = /^\S+$/) => z.string({ error }).regex(pattern, { error });

const path = (error: string) => text(error, /\S/);

const bool = () => z.boolean({ error: 'must be true or false' });

/** Digits as text too: that is what a variable gives. */
function wholeNumber(least: number, most: number, error: string) {
  const digits = text(error, /^\d+$/);
  const number = z.int({ error }).min(least, { error }).max(most, { error });
  const inRange = (value: number) => value >= least && value <= most;
  return { error, form: z.union([number, digits], { error }), inRange };
}

function duration(error = 'must be a duration with its unit: ms, s, m or h') {
  return text(error, DURATION);
}

const toMs = (value: string) => parseDuration(value) ?? 0;
const isBounded = (ms: number) => ms <= LONGEST_MS;

const PORT = wholeNumber(1, 65_535, 'must be a port number');
const DROPLET = wholeNumber(1, Number.MAX_SAFE_INTEGER, "must be a droplet's id, a number");
const KEEP = wholeNumber(2, 1000, 'must be a whole number from 2: the running release, and one to go back to');
const AT_LEAST_ONE = wholeNumber(1, 1000, 'must be a whole number from 1');

const BATCH = 'must be a number of droplets, a percentage, all, or a list of these';
const batchSize = z.union(
  [z.int({ error: BATCH }).min(1, { error: BATCH }), text(BATCH, /^(all|[1-9]\d*|([1-9]\d?|100)%)$/)],
  { error: BATCH },
);

function toBatchSize(value: string | number): BatchSize {
  if (value === 'all' || typeof value === 'number') return value;
  return value.endsWith('%') ? (value as BatchSize) : Number(value);
}

const PROBE = 'must be an address that begins with http:// or https://, without a user name';

function isPublicAddress(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  return url !== undefined && url.username === '' && url.password === '';
}

const FILES = 'must be a list of paths';
const listOfPaths = z.array(path('must be a path'), { error: FILES });

const COMPOSE = 'must be a list of paths, or a map with files and build';
interface ComposeSection {
  files?: string[] | undefined;
  build?: boolean | undefined;
}

const section = 'must be a map of keys and values';

const ssh = z
  .strictObject(
    {
      user: text('must be a user name')
        .meta({ description: 'User on the droplets.', default: DEFAULTS.ssh.user, examples: ['root'] })
        .optional(),
      port: PORT.form
        .meta({ description: 'SSH port of the droplets.', default: DEFAULTS.ssh.port, examples: [22] })
        .transform(Number)
        .refine(PORT.inRange, { error: PORT.error })
        .optional(),
      key: path('must be the path of a private key')
        .meta({
          description:
            'Private key file. Tried in this order: key files (IdentityFile of a section about the droplet, else this one, else IdentityFile of `Host *`, else `~/.ssh/id_ed25519`, `id_ecdsa`, `id_rsa`), the keys of the agent, the variable SSH_PRIVATE_KEY (for CI).',
          examples: ['~/.ssh/id_ed25519'],
        })
        .optional(),
      config: path('must be the path of an OpenSSH client configuration')
        .meta({
          description:
            "OpenSSH client configuration, looked up by the droplet's name, then its address: HostName, Port, User, IdentityFile, IdentitiesOnly, ProxyJump, UserKnownHostsFile, HostKeyAlias. A section about the droplet wins over what is written here, which wins over `Host *`, which wins over the defaults here.",
          default: DEFAULTS.ssh.config,
          examples: ['~/.ssh/config'],
        })
        .optional(),
      known_hosts: path('must be the path of a known_hosts file')
        .meta({
          description: 'File of known host keys.',
          default: DEFAULTS.ssh.known_hosts,
          examples: ['~/.ssh/known_hosts'],
        })
        .optional(),
      host_keys: z
        .enum(['accept-new', 'strict'], { error: 'must be accept-new or strict' })
        .meta({
          description:
            'What to do with a host seen for the first time: `accept-new` remembers its key, `strict` refuses it. A changed key is always refused.',
          default: DEFAULTS.ssh.host_keys,
          examples: ['accept-new', 'strict'],
        })
        .optional(),
      address: z
        .enum(['public', 'private'], { error: 'must be public or private' })
        .meta({
          description: "Which of a droplet's addresses to connect to.",
          default: DEFAULTS.ssh.address,
          examples: ['public', 'private'],
        })
        .optional(),
    },
    { error: section },
  )
  .meta({ description: 'How to reach the droplets. Relative paths start at the project, `~` at your home.' });

const registry = z
  .strictObject(
    {
      server: text('must be the name of a registry')
        .meta({
          description: 'Registry server.',
          default: DEFAULTS.registry.server,
          examples: ['docker.io', 'ghcr.io'],
        })
        .optional(),
      username: text('must be a user name')
        .meta({ description: 'User name.', examples: ['$DOCKER_USERNAME'] })
        .optional(),
      password: path('must be text, in quotes if it is a number')
        .meta({ description: 'Password or access token.', examples: ['$DOCKER_PASSWORD'] })
        .optional(),
    },
    { error: section },
  )
  .meta({ description: 'Login for private images, with username and password. Leave it out for public images.' });

const rollout = z
  .strictObject(
    {
      batch: z
        .union([batchSize, z.array(batchSize, { error: BATCH }).min(1, { error: BATCH })], { error: BATCH })
        .meta({
          description:
            'Droplets out of rotation at a time: a number, a percentage or `all`. A list grows from batch to batch; its last entry repeats.',
          default: DEFAULTS.rollout.batch,
          examples: [1, '25%', 'all', [1, 5, '20%']],
        })
        .transform((value): BatchSize[] => (Array.isArray(value) ? value : [value]).map(toBatchSize))
        .optional(),
      min_in_rotation: AT_LEAST_ONE.form
        .meta({
          description:
            'Never leave fewer healthy droplets than this in rotation. Without it: all but one batch, at least 1.',
          examples: [2],
        })
        .transform(Number)
        .refine(AT_LEAST_ONE.inRange, { error: AT_LEAST_ONE.error })
        .optional(),
      drain: z
        .strictObject(
          {
            timeout: duration()
              .meta({
                description: 'How long to wait for open connections before a droplet is switched.',
                default: DEFAULTS.rollout.drain.timeout,
                examples: ['30s', '5m'],
              })
              .transform(toMs)
              .refine(isBounded, { error: 'must be at most 24h' })
              .optional(),
          },
          { error: section },
        )
        .optional(),
      health: z
        .strictObject(
          {
            timeout: duration()
              .meta({
                description: 'How long the containers may take to become healthy.',
                default: DEFAULTS.rollout.health.timeout,
                examples: ['2m', '10m'],
              })
              .transform(toMs)
              .refine(isBounded, { error: 'must be at most 24h' })
              .refine((ms) => ms >= 1000, { error: 'must be at least 1s' })
              .optional(),
          },
          { error: section },
        )
        .optional(),
      on_failure: z
        .enum(['revert-droplet', 'revert-fleet', 'stop'], { error: 'must be revert-droplet, revert-fleet or stop' })
        .meta({
          description:
            'When a droplet fails: `revert-droplet` puts it back on its previous release and stops the rollout, `revert-fleet` does so with the droplets already done too, `stop` leaves it out of rotation.',
          default: DEFAULTS.rollout.on_failure,
          examples: ['revert-droplet', 'revert-fleet', 'stop'],
        })
        .optional(),
      interrupt_grace: duration()
        .meta({
          description: 'After Ctrl-C or a cancelled CI job: how long the droplet in hand may take to a safe end.',
          default: DEFAULTS.rollout.interrupt_grace,
          examples: ['60s'],
        })
        .transform(toMs)
        .refine(isBounded, { error: 'must be at most 24h' })
        .optional(),
      probe: text(PROBE, /^https?:\/\/\S+$/)
        .meta({
          description:
            'Address of your site that is asked once a second while droplets are rolled. How many requests failed is told at the end, and kept in the history.',
          examples: ['https://shop.example.com/healthz'],
        })
        .refine(isPublicAddress, { error: PROBE })
        .optional(),
    },
    { error: section },
  )
  .meta({ description: 'How a rollout goes.' });

/** Keys that stand at the top, and that an environment may override. */
const overridable = {
  image_tag: text("must be an image's tag, in quotes if it looks like a number", IMAGE_TAG)
    .meta({
      description: 'IMAGE_TAG for compose when the command line names no release.',
      default: DEFAULTS.image_tag,
      examples: ['latest', 'v1.4.2'],
    })
    .optional(),
  api_url: text(
    'must be an https:// address (http:// only for this machine)',
    /^(https:\/\/\S+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])([:/]\S*)?)$/,
  )
    .meta({
      description: "DigitalOcean's API. The variable DIGITALOCEAN_API_URL comes first.",
      default: DEFAULTS.api_url,
      examples: [DEFAULTS.api_url],
    })
    .optional(),
  confirm: bool()
    .meta({
      description:
        'Ask before deploying, when run in a terminal. Without it: only for an environment named production.',
      examples: [true, false],
    })
    .optional(),
  require_clean: bool()
    .meta({
      description: 'Deploy only when `git status` has nothing to tell: no change that is not committed, no new file.',
      default: DEFAULTS.require_clean,
      examples: [true],
    })
    .optional(),
  deploy_from: text("must be a branch's name", BRANCH)
    .meta({
      description:
        'Deploy only from this branch. A detached HEAD (as in CI) and a RELEASE that is in git must be contained in it, here or at a remote.',
      examples: ['main'],
    })
    .optional(),
  ssh: ssh.optional(),
  compose: z
    .union(
      [
        listOfPaths.min(1, { error: FILES }),
        z.strictObject(
          {
            files: listOfPaths
              .min(1, { error: FILES })
              .meta({ examples: [['compose/docker-compose.yml']] })
              .optional(),
            build: bool()
              .meta({ examples: [true] })
              .optional(),
          },
          { error: COMPOSE },
        ),
      ],
      { error: COMPOSE },
    )
    .meta({
      description:
        'Compose files, the base first. `{environment}` stands for the name of the environment; a trailing `?` makes a file optional. Or a map: `files`, the same list, and `build: true`, which has services with a `build:` built on each droplet before any leaves rotation.',
      default: DEFAULTS.compose,
      examples: [['compose/docker-compose.yml', 'compose/docker-compose.{environment}.yml'], { build: true }],
    })
    .transform((value): ComposeSection => (Array.isArray(value) ? { files: value } : value))
    .optional(),
  files: listOfPaths
    .meta({
      description:
        'Other files of a release: files, or folders with a trailing `/`. `{environment}` and `?` as above. Env files listed by name (`.env*`) also fill in the variables of the compose files, the last one first.',
      default: DEFAULTS.files,
      examples: [['config/.env.common', 'config/.env.{environment}', 'config/nginx/']],
    })
    .optional(),
  prepare: path('must be a path')
    .meta({
      description:
        'A script of yours, run on each droplet in the folder of the release before its images are pulled or built, while every droplet serves. It may add files there. When it fails, nothing has changed. `{environment}` and `?` as above.',
      examples: ['deploy/prepare.sh'],
    })
    .optional(),
  registry: registry.optional(),
  rollout: rollout.optional(),
  keep_releases: KEEP.form
    .meta({
      description:
        'Releases that stay on a droplet to go back to: the running one, the one before, then the newest that have proven themselves. Others are removed after a success, with the images that nothing else uses; volumes never.',
      default: DEFAULTS.keep_releases,
      examples: [5],
    })
    .transform(Number)
    .refine(KEEP.inRange, { error: KEEP.error })
    .optional(),
};

const APP = 'must be lower-case letters, digits, - and _, and begin with a letter or digit';
const ENVIRONMENT = 'must be lower-case letters, digits and -, and begin with a letter or digit';

const app = text(APP, APP_NAME).meta({
  description: 'Name of the compose project, and of the folder on the droplets (`~/do-deploy/APP`).',
  examples: ['shop'],
});

const environment = z
  .strictObject(
    {
      load_balancer: text("must be a load balancer's id or name", /\S/)
        .meta({
          description: 'Id or name of the load balancer whose droplets are deployed.',
          examples: ['$LOAD_BALANCER', 'web'],
        })
        .optional(),
      autoscale_pool: text("must be an autoscale pool's id or name", /\S/)
        .meta({
          description:
            'Id or name of the autoscale pool that makes droplets for the load balancer. `do-deploy adopt ENVIRONMENT` puts them behind it once they run the release.',
          examples: ['web-pool'],
        })
        .optional(),
      droplet: DROPLET.form
        .meta({
          description: 'Id of a single droplet to deploy, without a load balancer.',
          examples: ['$STAGING_DROPLET_ID', 3164494],
        })
        .transform(Number)
        .refine(DROPLET.inRange, { error: DROPLET.error })
        .optional(),
      app: app.optional(),
      ...overridable,
    },
    { error: 'must be a map with load_balancer or droplet' },
  )
  .meta({
    description:
      'An environment, with exactly one of `load_balancer` and `droplet`. Any key of the top level may stand here too: maps are merged, everything else is replaced.',
  });

export const deployFile = z.strictObject(
  {
    app,
    ...overridable,
    environments: z
      .record(text(ENVIRONMENT, ENVIRONMENT_NAME), environment, { error: 'must be a map of environments' })
      .meta({
        description: 'The environments, by name (lower-case letters, digits and -).',
      }),
  },
  { error: 'must be a map of keys and values' },
);

export type DeployFile = z.output<typeof deployFile>;
export type EnvironmentSection = z.output<typeof environment>;

/** DigitalOcean's API address, as the file and DIGITALOCEAN_API_URL take it. */
export const apiUrl = overridable.api_url;
