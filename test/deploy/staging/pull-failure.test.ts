import { describe, expect, it } from 'vitest';
import { Secret } from '../../../src/config/secret.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { pullFailed } from '../../../src/deploy/staging/pull-failure.js';

const member = { host: { id: 1, name: 'web-1', address: '203.0.113.5' } } as Member;
const registry = { server: 'ghcr.io', username: 'ann', password: new Secret('word') };

const DENIED =
  "Error response from daemon: pull access denied for me/shop, repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
const UNAUTHORIZED =
  'Error response from daemon: Head "https://ghcr.io/v2/me/shop/manifests/v1": unauthorized: authentication required';
const TOO_MANY =
  'Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit';
const DIAL =
  'Error response from daemon: Get "https://registry.example.com/v2/": dial tcp: lookup registry.example.com on 127.0.0.53:53: no such host';
const TLS = 'Error response from daemon: Get "https://ghcr.io/v2/": net/http: TLS handshake timeout';
const UNKNOWN = 'Error response from daemon: manifest for me/shop:v9 not found: manifest unknown: manifest unknown';

describe('a pull that failed', () => {
  it.each([
    ['asks for a login without one', DENIED, undefined, /^If the image is private, log in .*`registry: \{/],
    ['asks for a login without one', UNAUTHORIZED, undefined, /^If the image is private, log in .*`registry: \{/],
    ['asks to check the login', UNAUTHORIZED, registry, /that ann may pull it from ghcr\.io: registry:/],
    ['asks to log in or wait at the limit', TOO_MANY, undefined, /limits pulls .* wait, or log in: `registry: \{/],
    ['asks to wait at the limit of the login', TOO_MANY, registry, /limits pulls by ann: wait/],
    ['names what the droplet cannot reach', DIAL, registry, /^web-1 cannot reach registry\.example\.com: /],
    ['names what the droplet cannot reach', TLS, undefined, /^web-1 cannot reach ghcr\.io: /],
    ['asks to check name and tag of a missing image', UNKNOWN, registry, /^Check the image's name and tag/],
  ])('%s: %s', (_what, reason, login, hint) => {
    expect(pullFailed(member, reason, { registry: login })).toMatchObject({
      code: 'pull-failed',
      hint: expect.stringMatching(hint),
    });
  });

  it('has no hint for an unknown cause', () => {
    expect(pullFailed(member, 'me/shop is not the image that the first droplet has', {}).hint).toBeUndefined();
  });
});

it('a digest that the registry no longer has is explained, and deployed again by its tag', () => {
  const reason =
    'Error response from daemon: manifest for registry.digitalocean.com/acme/shop@sha256:8f3a not found: manifest unknown: manifest unknown';
  const { hint } = pullFailed(member, reason, {
    registry: { server: 'registry.digitalocean.com', digitalocean: 'acme' },
  });
  expect(hint).toMatch(/^The registry no longer has this digest.*garbage collection.*deploy that tag/);
});

it('a registry of DigitalOcean that refuses shows the name that an image there has', () => {
  const { hint } = pullFailed(member, DENIED, {
    registry: { server: 'registry.digitalocean.com', digitalocean: 'acme' },
  });
  expect(hint).toContain('registry.digitalocean.com/acme/IMAGE:TAG');
});
