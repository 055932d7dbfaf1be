import { Secret } from '../secret.js';
import { defineSection } from '../section.js';
import type { Settings } from '../settings.js';
import { anyText, map, text } from '../values.js';

const DEFAULT_SERVER = 'docker.io';

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
    }).meta({ description: 'Login for private images, with username and password. Leave it out for public images.' }),
  },
  resolve({ registry: written }, { isNeeded, problems, place, isWritten, hide }): Pick<Settings, 'registry'> {
    if (written === undefined || !isNeeded) return {};
    const { server = DEFAULT_SERVER, username, password } = written;
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
