import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { readComposeConfig } from '../../../src/deploy/staging/compose-config.js';
import { refuseStartInterval, warnAboutStartInterval } from '../../../src/deploy/staging/start-interval.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const servicesOf = (healthcheck: object) =>
  readComposeConfig(JSON.stringify({ services: { app: { image: 'shop:v1', healthcheck } } }), {
    app: 'shop',
    build: false,
  });
const USES = servicesOf({ test: ['CMD', 'true'], start_period: '20s', start_interval: '1s' });
const DISABLED = servicesOf({ disable: true, start_interval: '1s' });
const PLAIN = servicesOf({ test: ['CMD', 'true'] });

const droplet = (docker?: string, compose?: string, name = 'web-1') =>
  ({ host: { name }, survey: { docker, compose } }) as unknown as Member;

function warnings(members: readonly Member[], services = USES): string[] {
  const reporter = new CollectingReporter();
  warnAboutStartInterval({ clock: new VirtualClock(), reporter }, members, services);
  return reporter.of('notice').map(({ message }) => message);
}

describe('start_interval', () => {
  it.each([
    ['24.0.9', '2.24.0'],
    ['20.10.24+dfsg1', '2.26.1-4'],
    ['24.0.2', '5.3.1'],
  ])('is refused where compose would not create the container: Docker %s with compose %s', (docker, compose) => {
    expect(() => refuseStartInterval(droplet(docker, compose), USES)).toThrow(
      expect.objectContaining({
        code: 'compose-start-interval',
        message: expect.stringContaining(`web-1 has Docker ${docker}: Compose ${compose} would not create`),
        hint: 'Remove `start_interval:` from the compose file, or update Docker on web-1.',
      }),
    );
  });

  it.each([
    ['25.0.0', '2.24.0'],
    ['28.2.2', '2.39.1'],
    ['24.0.9', '2.23.3'],
    [undefined, undefined],
  ])('is no reason to refuse Docker %s with compose %s', (docker, compose) => {
    expect(() => refuseStartInterval(droplet(docker, compose), USES)).not.toThrow();
  });

  it('does not matter where no healthcheck that is on has it', () => {
    for (const services of [PLAIN, DISABLED]) {
      expect(() => refuseStartInterval(droplet('24.0.9', '2.24.0'), services)).not.toThrow();
      expect(warnings([droplet('24.0.9', '2.23.3')], services)).toEqual([]);
    }
  });

  it('is one warning that names the droplets and their versions', () => {
    const members = [droplet('20.10.24', '2.20.2'), droplet('28.2.2', '2.39.1', 'web-2')];
    expect(warnings(members)).toEqual([
      'Docker is older than 25 on web-1 (20.10.24), and ignores start_interval (app): the first check of a container runs after its whole `interval`, 30 s by default.',
    ]);
    expect(warnings([droplet('28.2.2', '2.39.1')])).toEqual([]);
    const many = Array.from({ length: 7 }, (_, index) => droplet('24.0.9', '2.20.2', `web-${index + 1}`));
    expect(warnings(many)[0]).toContain('web-5 (24.0.9) and 2 more droplets, and');
  });
});
