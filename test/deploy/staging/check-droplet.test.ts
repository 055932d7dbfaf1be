import { expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { checkDroplet, warnAboutOldDocker } from '../../../src/deploy/staging/check-droplet.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const LOGIN = 'ssh -p 22 root@203.0.113.5';

function member(survey: Record<string, unknown>, name = 'web-1'): Member {
  const connection = { login: LOGIN };
  return { host: { name, address: '203.0.113.5' }, connection, survey: { problems: [], ...survey } } as never;
}

it.each([
  ['sh: 1: docker: not found', `Install Docker Engine: ${LOGIN} 'curl -fsSL https://get.docker.com | sudo sh'`],
  ['bash: line 4: docker: command not found', /^Install Docker Engine/],
  ['permission denied while trying to connect to the Docker daemon socket', /sudo usermod -aG docker "\$USER"'$/],
  ['Cannot connect to the Docker daemon.', `Start it: ${LOGIN} sudo systemctl start docker`],
])('a Docker that does not answer is refused with the command that helps: %s', (problem, hint) => {
  expect(() => checkDroplet(member({ problems: [problem] }))).toThrow(
    expect.objectContaining({
      code: 'docker-missing',
      hint: typeof hint === 'string' ? hint : expect.stringMatching(hint),
    }),
  );
});

it('a missing compose is refused with the command that installs it', () => {
  expect(() => checkDroplet(member({ docker: '28.1.1', compose: '1.29.2' }))).toThrow(
    expect.objectContaining({
      code: 'compose-missing',
      hint: `Install the plugin: ${LOGIN} sudo apt-get install --yes docker-compose-plugin`,
    }),
  );
});

it('Docker older than the README demands is one warning for all droplets', () => {
  const warnings = (...versions: (string | undefined)[]) => {
    const reporter = new CollectingReporter();
    const members = versions.map((docker, index) => member({ docker }, `web-${index + 1}`));
    warnAboutOldDocker({ clock: new VirtualClock(), reporter }, members);
    return reporter.of('notice').map(({ message }) => message);
  };
  expect(warnings('20.10.24', '28.1.1', undefined)).toEqual([]);
  expect(warnings('20.10.24', '19.03.15')).toEqual([
    'Docker is older than 20.10, the oldest that do-deploy is tested with, on web-2 (19.03.15).',
  ]);
  expect(warnings(...Array<string>(7).fill('18.9.1'))[0]).toMatch(/web-5 \(18\.9\.1\) and 2 more droplets\.$/);
});
