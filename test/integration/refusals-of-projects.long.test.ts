/** Deploys that are refused with one message and its remedy, without any change. */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { dividedFleet } from './divided-fleet.js';
import { addEnvironments, edit, expectRefusal, refusing } from './refusal.js';

const divided = dividedFleet({ quiet: { droplets: 1 }, sick: {} });
const { refused, refusedBySecond } = refusing(divided);
beforeAll(() => addEnvironments(divided, { lost: { load_balancer: 'lb-quite' } }));

describe('problems of the project are reported before anything is contacted:', () => {
  it.concurrent('an environment that does not exist', async () => {
    const end = await refused('quiet', () => divided.fleet.run(['quite', 'v2']));
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(/^error: There is no environment "quite" in config\/deploy\.yml\.$/m);
    expect(end.stderr).toMatch(
      /^ {2}try: did you mean quiet\? do-deploy quiet v2; environments: sandbox, staging, quiet, /m,
    );
  });

  it.concurrent('a missing file', async () => {
    const cwd = await divided.fleet.freshCheckout();
    await rm(join(cwd, 'config/.env.common'));
    const end = await refused('quiet', (part) => part.deploy('v2', [], { cwd }));
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toBe(
      [
        'error: config/deploy.yml has a problem.',
        '  config/deploy.yml:12: config/.env.common does not exist; create it, or write config/.env.common? if it is optional',
        '  try: fix this and run it again; nothing was contacted or changed',
        '',
      ].join('\n'),
    );
  });

  it.concurrent('an unknown setting, with its line and a suggestion', async () => {
    const cwd = await divided.fleet.freshCheckout();
    await edit(cwd, 'config/deploy.yml', (text) => text.replace('image_tag:', 'imagetag:'));
    const end = await refused('quiet', (part) => part.deploy('v2', [], { cwd }));
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toContain('\n  config/deploy.yml:3: unknown key imagetag; did you mean image_tag?\n');
  });
});

describe('problems at DigitalOcean are reported before any droplet is contacted:', () => {
  it.concurrent('a wrong token', async () => {
    const end = await refused('quiet', (part) => part.deploy('v2', [], { env: { DO_TOKEN: 'dop_v1_wrong' } }));
    expectRefusal(end, 2, {
      code: 'cloud-unauthorized',
      message: /^DigitalOcean refused the token \(401\)\./,
      hint: /^Check DO_TOKEN\. Create a token at https:\/\/cloud\.digitalocean\.com\/account\/api\/tokens with the scopes load_balancer:read, /,
    });
    expect(end.stdout + end.stderr).not.toContain('dop_v1_wrong');
  });

  it.concurrent('a load balancer that does not exist', async () => {
    const end = await refused('quiet', () => divided.fleet.run(['lost', 'v2', '--json']));
    expectRefusal(end, 2, {
      code: 'balancer-not-found',
      message: 'There is no load balancer "lb-quite".',
      hint: /^This token sees "web" \(.*\), "lb-quiet" \(.*\)\. Set load_balancer: in the configuration file/,
    });
  });
});

describe('problems of a droplet are reported before any leaves rotation:', () => {
  // In order: they share their droplets.
  it('it cannot be reached', async () => {
    const { end, sick } = await refusedBySecond({ ssh: 'refuse' });
    expectRefusal(end, 1, {
      code: 'ssh-unreachable',
      message: `droplet ${sick.name} (127.0.0.1:${sick.sshPort}) refused the connection.`,
      hint: new RegExp(
        `^Check that sshd runs there, on that port\\. Try: ssh -v -F \\S+/ssh_config -i \\S+ -p ${sick.sshPort} root@127\\.0\\.0\\.1 Or leave it out: do-deploy .* v2 .*--skip-unreachable`,
      ),
      droplet: sick.name,
    });
  });

  it('its host key has changed', async () => {
    const { end, sick } = await refusedBySecond({ hostKeyChanged: true });
    expectRefusal(end, 1, {
      code: 'ssh-host-key',
      message: new RegExp(
        `^The host key of ${sick.name} .* has changed: expected SHA256:.*, but it presented SHA256:.*\\. Nothing was sent to it\\.$`,
      ),
      hint: /^Only if the droplet was rebuilt, or its address now belongs to another one: ssh-keygen -R .* Otherwise someone may be intercepting the connection\.$/,
      droplet: sick.name,
    });
  });

  it('the registry does not have the image', async () => {
    const { droplets } = divided.part('sick');
    const end = await refused('sick', (part) => part.deploy('v999'));
    expectRefusal(end, 1, {
      code: 'pull-failed',
      message: `The images cannot be pulled on ${droplets[0]?.name}: Error response from daemon: manifest for example/shop:v999 not found: manifest unknown: manifest unknown`,
      hint: "Check the image's name and tag, and that it was pushed.",
      droplet: droplets[0]?.name,
    });
    const staged = droplets.flatMap(({ home }) => readdirSync(join(home, 'do-deploy/shop/releases')));
    expect(
      staged.filter((id) => !id.endsWith('-v1')),
      'what was staged is gone again',
    ).toEqual([]);
    const history = await divided.part('sick').run(['history', 'sick', '--json']);
    expect(history.events, 'and of those that never had the lock there is nothing').toMatchObject([
      { command: 'deploy', imageTag: 'v999', outcome: 'failed' },
    ]);
  });
});
