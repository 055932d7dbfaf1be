import { type Credentials, Registry } from '../registry.js';
import { nginxImage } from './nginx.js';
import { crashingShopImage, migrationImage, shopImage } from './shop.js';

export const SHOP = 'docker.io/example/shop';

/** The same images in a registry of DigitalOcean. */
export const DIGITALOCEAN_REGISTRY = 'acme';
const DIGITALOCEAN_SHOP = `registry.digitalocean.com/${DIGITALOCEAN_REGISTRY}/shop`;

/**
 * The images of the example project: nginx, and a shop in working and broken versions, named after what is wrong with
 * them. `latest` is v1 until the tag is moved.
 */
export function exampleRegistry(options: { credentials?: Credentials } = {}): Registry {
  const registry = new Registry(options);
  const nginx = nginxImage();
  registry.push('docker.io/library/nginx', '1.27-alpine', nginx);
  registry.push('docker.io/library/nginx', 'latest', nginx);

  const crash = (code: number, afterMs: number, lastWords: string) => ({ code, afterMs, lastWords });
  const shops = {
    v1: shopImage('v1'),
    v2: shopImage('v2'),
    v3: shopImage('v3'),
    latest: shopImage('v1'),
    // Runs, but never becomes healthy.
    broken: shopImage('broken', () => false),
    'slow-start': shopImage('slow-start', (ageMs) => ageMs >= 3000),
    // Healthy for two seconds.
    flaky: shopImage('flaky', (ageMs) => ageMs < 2000),
    crash: crashingShopImage('crash', crash(1, 300, 'Error: cannot reach the database')),
    exits: crashingShopImage('exits', crash(3, 0, 'Error: SECRET_KEY has the wrong length')),
    oom: crashingShopImage('oom', { ...crash(137, 300, 'loading the catalogue'), oomKilled: true }),
    migrate: migrationImage('migrate', 0),
    'migrate-fails': migrationImage('migrate-fails', 1),
  };
  for (const [tag, image] of Object.entries(shops)) {
    registry.push(SHOP, tag, image);
    registry.push(DIGITALOCEAN_SHOP, tag, image);
  }
  return registry;
}
