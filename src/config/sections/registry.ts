import { Secret } from '../secret.js';
import { defineSection } from '../section.js';
import type { Settings } from '../settings.js';
import { anyText, map, text } from '../values.js';

const DEFAULT_SERVER = 'docker.io';

const DIGITALOCEAN = 'registry.digitalocean.com';

export const registry = defineSection({
  neededFor: 'images',
  keys: {
    registry: map({
      server: text('must be the name of a registry').meta({
        description: 'Registry server.',
        default: DEFAULT_SERVER,
        examples: [DEFAULT_SERVER, 'ghcr.io'],
      }),
      username: text('must be a user name').meta({ description: 'User name.', examples: ['$DOCKER_USERNAME'] }),
      password: anyText('must be text, in quotes if it is a number').meta({
        description: 'Password or access token.',
        examples: ['$DOCKER_PASSWORD'],
      }),
      digitalocean: text('must be the name of a registry of DigitalOcean', /^[a-z0-9][a-z0-9-]{0,62}$/).meta({
        description:
          'Instead of the others: a registry of DigitalOcean. Each run gets a login from the token that can only read and expires after an hour.',
        examples: ['acme'],
      }),
    }).meta({
      description:
        'Login for private images: username and password, or a registry of DigitalOcean. Leave it out for public images.',
    }),
  },
  resolve({ registry: written }, { isNeeded, problems, place, isWritten, hide }): Pick<Settings, 'registry'> {
    if (written === undefined || !isNeeded) return {};
    const { server = DEFAULT_SERVER, username, password, digitalocean } = written;
    if (isWritten('registry', 'digitalocean')) {
      const others = ['server', 'username', 'password'].filter((key) => isWritten('registry', key));
      if (others.length > 0) {
        problems.add(
          place('registry'),
          `registry has digitalocean and ${others.join(', ')}`,
          'keep digitalocean alone: its login is made from the token',
        );
      }
      return digitalocean === undefined ? {} : { registry: { server: DIGITALOCEAN, digitalocean } };
    }
    for (const [key, value] of Object.entries({ username, password })) {
      // A value that is wrong, or comes from a variable that is not set, is a problem already.
      if (value !== undefined || isWritten('registry', key)) continue;
      problems.add(
        place('registry'),
        `registry has no ${key}`,
        `write \`${key}: $DOCKER_${key.toUpperCase()}\` below it`,
      );
    }
    const secret = new Secret(password ?? '');
    hide(secret);
    return { registry: { server, username: username ?? '', password: secret } };
  },
});
