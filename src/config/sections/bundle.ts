import { z } from 'zod';
import { Secret } from '../secret.js';
import { defineSection } from '../section.js';
import type { Settings } from '../settings.js';
import { signingKeyIn } from '../signing-key.js';
import { anyText, map, text } from '../values.js';

const DEFAULTS = { region: 'us-east-1', secrets: 'include' } as const;

const ENDPOINT = /^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?\/?$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9-]{1,40}$/;
const PREFIX = /^(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)*\/?$/;

export const MAKE_SIGNING_KEY = 'openssl genpkey -algorithm ed25519 -outform DER | base64 -w 0';

/** An access key as header of a request: no blanks. */
const key = (description: string, example: string) =>
  text('must be text without blanks').meta({ description, examples: [example] });

const section = map({
  endpoint: text('must be an address such as https://fra1.digitaloceanspaces.com', ENDPOINT).meta({
    description: 'Address of the object storage, without the bucket.',
    examples: ['https://fra1.digitaloceanspaces.com'],
  }),
  bucket: text("must be a bucket's name", BUCKET).meta({ description: 'Its bucket.', examples: ['acme-releases'] }),
  region: text('must be the name of a region', REGION).meta({
    description: 'The region in signatures of requests. Spaces takes the default.',
    default: DEFAULTS.region,
    examples: [DEFAULTS.region],
  }),
  prefix: text('must be a path of letters a-z, digits and . _ -', PREFIX).meta({
    description: 'Folder in the bucket.',
    examples: ['do-deploy/'],
  }),
  access_key: key('Key of the deployers, which may read, write and delete in the bucket.', '$BUNDLE_ACCESS_KEY'),
  secret_key: key('Its secret.', '$BUNDLE_SECRET_KEY'),
  signing_key: anyText('must be a private key').meta({
    description: `Ed25519 key with which deployers sign bundles: PEM, or DER in base64. Make one: \`${MAKE_SIGNING_KEY}\`.`,
    examples: ['$BUNDLE_SIGNING_KEY'],
  }),
  read_access_key: key(
    'Key of the droplets, which may only read the bucket. It is part of the user data.',
    '$BUNDLE_READ_ACCESS_KEY',
  ),
  read_secret_key: key('Its secret.', '$BUNDLE_READ_SECRET_KEY'),
  secrets: z.enum(['include', 'leave-out'], { error: 'must be include or leave-out' }).meta({
    description:
      "`include`: the bundle, with its env files and keys, is encrypted, and the user data has the key, and the registry's login. `leave-out`: env files and keys are not in the bundle; the droplet's image has them in `/etc/do-deploy/APP/`, and its Docker is logged in.",
    default: DEFAULTS.secrets,
    examples: ['leave-out'],
  }),
}).meta({
  description:
    'Object storage that keeps the release for droplets that boot by themselves. See [autoscaling.md](autoscaling.md#droplets-that-boot-by-themselves). Commands that do not deploy work without its variables.',
  examples: [
    {
      endpoint: 'https://fra1.digitaloceanspaces.com',
      bucket: 'acme-releases',
      access_key: '$BUNDLE_ACCESS_KEY',
      secret_key: '$BUNDLE_SECRET_KEY',
      signing_key: '$BUNDLE_SIGNING_KEY',
    },
  ],
});

/** What every deployer needs. The droplets' own key is asked for when their user data is made. */
const NEEDED = ['endpoint', 'bucket', 'access_key', 'secret_key', 'signing_key'] as const;

export const bundle = defineSection({
  neededFor: 'rollout',
  readWhereSet: true,
  keys: { bundle: section },
  resolve({ bundle: written }, { isNeeded, problems, place, isWritten, hide }): Pick<Settings, 'bundle'> {
    if (!isWritten('bundle')) return {};
    const own = written ?? {};
    if (isNeeded) {
      for (const name of NEEDED) {
        // A value that is wrong, or comes from a variable that is not set, is a problem already.
        if (own[name] !== undefined || isWritten('bundle', name)) continue;
        problems.add(place('bundle'), `bundle has no ${name}`, remedyFor(name));
      }
      const [one, other] = ['read_access_key', 'read_secret_key'].map((name) => isWritten('bundle', name));
      if (one !== other) {
        const missing = one ? 'read_secret_key' : 'read_access_key';
        problems.add(place('bundle'), `bundle has no ${missing}`, remedyFor(missing));
      }
    }
    const { signing_key: writtenKey } = own;
    const signingKey = writtenKey === undefined ? undefined : signingKeyIn(writtenKey);
    if (writtenKey !== undefined && signingKey === undefined) {
      problems.add(
        place('bundle', 'signing_key'),
        'bundle.signing_key is no Ed25519 private key',
        `make one: ${MAKE_SIGNING_KEY}`,
      );
      return {};
    }
    const secret = (value: string) => {
      const made = new Secret(value);
      hide(made);
      return made;
    };
    if (writtenKey !== undefined) secret(writtenKey);
    const keyPair = (accessKey: string | undefined, secretKey: string | undefined) =>
      accessKey !== undefined && secretKey !== undefined ? { accessKey, secretKey: secret(secretKey) } : undefined;
    const { endpoint, bucket, region = DEFAULTS.region, prefix = '', secrets = DEFAULTS.secrets } = own;
    if (endpoint === undefined || bucket === undefined) return {};
    return {
      bundle: {
        place: place('bundle'),
        endpoint: endpoint.replace(/\/$/, ''),
        bucket,
        region,
        prefix: prefix === '' ? '' : prefix.replace(/\/?$/, '/'),
        secrets,
        writer: keyPair(own.access_key, own.secret_key),
        reader: keyPair(own.read_access_key, own.read_secret_key),
        signingKey,
      },
    };
  },
});

function remedyFor(name: string): string {
  if (name === 'endpoint') return 'write `endpoint: https://REGION.digitaloceanspaces.com` below it';
  if (name === 'bucket') return 'write `bucket: NAME` below it';
  return `write \`${name}: $BUNDLE_${name.toUpperCase()}\` below it`;
}
