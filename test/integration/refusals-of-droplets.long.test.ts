/** More deploys that are refused with one message and its remedy, without any change. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { dividedFleet } from './divided-fleet.js';
import { addEnvironments, edit, expectRefusal, refusing } from './refusal.js';
import { SandboxFleet } from './sandbox-fleet.js';

const divided = dividedFleet({ quiet: {}, sick: {}, one: { droplets: 1 }, off: { fresh: true } });
const { refused, refusedBySecond } = refusing(divided);
beforeAll(async () => {
  const { world } = divided.fleet.region;
  // Two with the same name.
  for (const _ of [1, 2]) world.addBalancer({ name: 'twin', dropletIds: [] });
  await addEnvironments(divided, {
    greedy: { load_balancer: 'lb-quiet', rollout: { min_in_rotation: 2 } },
    twins: { load_balancer: 'twin' },
    empty: { load_balancer: 'web' },
    gone: { droplet: 1 },
    renamed: { load_balancer: 'lb-quiet', app: 'renamed' },
  });
});

describe('problems at DigitalOcean are reported before any droplet is contacted:', () => {
  it.concurrent.each([
    [
      'twins',
      'balancer-ambiguous',
      '2 load balancers are named "twin".',
      /^Name one by its id, as load_balancer: in the configuration file or in the variable LOAD_BALANCER: "twin" \([-0-9a-f]{36}\), "twin" \([-0-9a-f]{36}\)\.$/,
    ],
    [
      'empty',
      'no-droplets',
      'There are no droplets behind load balancer "web" (198.51.100.1).',
      'Add droplets to the load balancer in the control panel, or check load_balancer: in config/deploy.yml.',
    ],
    [
      'gone',
      'droplet-not-found',
      'There is no droplet 1.',
      /^Set droplet: in the configuration file \(or STAGING_DROPLET_ID\) to the id /,
    ],
    [
      'greedy',
      'floor-impossible',
      'rollout.min_in_rotation is 2, but the fleet has only 2 droplets: none could leave.',
      'Set rollout.min_in_rotation to 1 or less in config/deploy.yml.',
    ],
  ])('environment %s: %s', async (environment, code, message, hint) => {
    const end = await refused('quiet', () => divided.fleet.run([environment, 'v2', '--json']));
    expectRefusal(end, 2, { code, message, hint });
  });

  it.concurrent('a droplet that is off', async () => {
    const part = divided.part('off');
    const [first] = part.droplets;
    const record = divided.fleet.region.world.droplets.get(first?.id ?? 0);
    if (record) record.status = 'off';
    const end = await refused('off', () => part.deploy('v2'));
    expectRefusal(end, 1, {
      code: 'droplet-off',
      message: `Not every droplet is running: ${first?.name} (off).`,
      hint: /^Power them on \(doctl compute droplet-action power-on \d+\), or remove them from the load balancer\. Or leave it out: do-deploy .+ --skip-unreachable.*$/,
    });
  });

  it.concurrent('a fleet of one, unless --allow-downtime is given', async () => {
    const end = await refused('one', (part) => part.deploy('v2'));
    expectRefusal(end, 2, {
      code: 'fleet-of-one',
      message: 'Only one droplet is behind the load balancer: while it is updated, nothing would serve.',
      hint: 'Add a second droplet, or accept the outage with --allow-downtime.',
    });
    const part = divided.part('one');
    expect(await part.deploy('v2', ['--allow-downtime'])).toMatchObject({ code: 0 });
    expect(part.summary()).toEqual(['in v2']);
  });

  it.concurrent('a token without the scope to read tags, which cannot see the ledger', async () => {
    const scopes = ['load_balancer:read', 'load_balancer:update', 'droplet:read', 'droplet:update'];
    const fleet = await SandboxFleet.start({ droplets: 2, scopes });
    try {
      for (const command of ['deploy', 'status', 'heal']) {
        const { code, stdout, stderr } = await fleet.run([command, 'sandbox', ...(command === 'deploy' ? ['v1'] : [])]);
        expect([code, stdout + stderr]).toEqual([2, expect.stringContaining('may not read tags')]);
      }
      expect(fleet.region.apiLog.filter(({ method }) => method !== 'GET')).toEqual([]);
    } finally {
      await fleet.stop();
    }
  });

  it.concurrent('a token without the scopes to tag', async () => {
    const scopes = ['load_balancer:read', 'load_balancer:update', 'droplet:read', 'droplet:update', 'tag:read'];
    const fleet = await SandboxFleet.start({ droplets: 2, scopes });
    try {
      const end = await fleet.run(['deploy', 'sandbox', 'v1', '--json']);
      expectRefusal(end, 2, {
        code: 'ledger-forbidden',
        message: /^The token may not tag droplets, so do-deploy cannot record which are out of rotation\./,
        hint: 'Give the token the scopes tag:create, tag:delete, tag:read and droplet:update.',
      });
      expect(fleet.region.apiLog.filter(({ method, outcome }) => method !== 'GET' && outcome !== 403)).toEqual([]);
    } finally {
      await fleet.stop();
    }
  });
});

describe('problems of a droplet are reported before any leaves rotation:', () => {
  // In order: they share their droplets.
  it('Docker does not answer', async () => {
    const { end, sick } = await refusedBySecond({ daemonDown: true });
    expectRefusal(end, 1, {
      code: 'docker-missing',
      message: `Docker does not answer on ${sick.name}: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?`,
      hint: new RegExp(`^Start it: ssh .*-p ${sick.sshPort} root@127\\.0\\.0\\.1 sudo systemctl start docker$`),
      droplet: sick.name,
    });
    const release = expect.stringMatching(/-v1$/);
    expect(end.result?.rows, 'the table tells what is known by then').toMatchObject([
      { release, health: 'healthy', outcome: 'not deployed' },
      { release, health: 'Docker does not answer', outcome: 'not deployed' },
    ]);
  });

  it('its disk is full', async () => {
    const { end, sick } = await refusedBySecond({ diskFull: true });
    expectRefusal(end, 1, {
      code: 'disk-full',
      message: `The lock on ${sick.name} cannot be taken: its disk is full.`,
      hint: /^Free at least 512 MB there: ssh .* df -h$/,
      droplet: sick.name,
    });
  });

  it('its host key is unknown, and host_keys is strict', async () => {
    const cwd = await strictCheckout();
    const end = await refused('quiet', (part) => part.deploy('v2', [], { cwd }));
    expectRefusal(end, 1, {
      code: 'ssh-host-key',
      message: /is not in known_hosts, and ssh\.host_keys is strict\. It presented SHA256:\S+ \(ssh-ed25519\)\.$/,
      hint: /^If the droplet's console shows that fingerprint .* run: ssh-keyscan -t ed25519 -p \d+ 127\.0\.0\.1 >> \S+\/known_hosts$/,
    });
  });
});

/** A checkout with the droplets' addresses, but without their host keys. */
async function strictCheckout(): Promise<string> {
  const cwd = await divided.fleet.freshCheckout();
  const sshConfig = await readFile(divided.fleet.region.sshConfigPath, 'utf8');
  await writeFile(join(cwd, 'ssh_config'), sshConfig.replace(/^ *UserKnownHostsFile .*\n/gm, ''));
  await writeFile(join(cwd, 'known_hosts'), '');
  await edit(cwd, 'config/deploy.yml', (text) => {
    const ssh = { config: 'ssh_config', known_hosts: 'known_hosts', host_keys: 'strict' };
    return stringify({ ...parse(text), ssh });
  });
  return cwd;
}

it('a first deploy is refused if another compose project holds the ports', async () => {
  const end = await refused('quiet', () => divided.fleet.run(['deploy', 'renamed', 'v2', '--json']));
  expectRefusal(end, 2, {
    code: 'port-taken',
    message: /^Port 80 of \S+ is held by the container \S+-nginx-1 of the compose project \S+\.$/,
    hint: /^If the project \S+ is this app, set `app: \S+` in config\/deploy\.yml: do-deploy takes it over\. Otherwise stop the/,
    droplet: end.result?.error?.droplet,
  });
});
