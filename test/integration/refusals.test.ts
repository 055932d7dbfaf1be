/** What can't be deployed is refused with one message that says what to do, and nothing that serves has changed. */
import { readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { ErrorInfo } from '../../src/errors.js';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import type { DropletFaults } from '../../src/sandbox/droplets/faults.js';
import { dividedFleet, type Part } from './divided-fleet.js';
import { type CommandEnd, SandboxFleet } from './sandbox-fleet.js';

const divided = dividedFleet({ quiet: {}, sick: {}, one: { droplets: 1 }, off: { fresh: true } });
beforeAll(async () => {
  const { world } = divided.fleet.region;
  // Two that nobody can tell apart by their name.
  for (const _ of [1, 2]) world.addBalancer({ name: 'twin', dropletIds: [] });
  await addEnvironments({
    greedy: { load_balancer: 'lb-quiet', rollout: { min_in_rotation: 2 } },
    lost: { load_balancer: 'lb-quite' },
    twins: { load_balancer: 'twin' },
    empty: { load_balancer: 'web' },
    gone: { droplet: 1 },
  });
});

describe('what is wrong with the project is told before anything is contacted:', () => {
  it.concurrent('an environment that does not exist', async () => {
    const end = await refused('quiet', () => divided.fleet.run(['quite', 'v2']));
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(/^error: There is no environment "quite" in config\/deploy\.yml\.$/m);
    expect(end.stderr).toMatch(/^ {2}try: did you mean quiet\? known: sandbox, staging, quiet, /m);
  });

  it.concurrent('a file that is missing', async () => {
    const cwd = await divided.fleet.freshCheckout();
    await rm(join(cwd, 'config/.env.common'));
    const end = await refused('quiet', (part) => part.deploy('v2', [], { cwd }));
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toBe(
      [
        'error: config/deploy.yml has a problem.',
        '  config/deploy.yml:12: config/.env.common does not exist; create it, or write config/.env.common? if it is optional',
        '  try: correct this and run it again; nothing was contacted or changed',
        '',
      ].join('\n'),
    );
  });

  it.concurrent('a key that nobody knows, with its line and the one that was meant', async () => {
    const cwd = await divided.fleet.freshCheckout();
    await edit(cwd, 'config/deploy.yml', (text) => text.replace('image_tag:', 'imagetag:'));
    const end = await refused('quiet', (part) => part.deploy('v2', [], { cwd }));
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toContain('\n  config/deploy.yml:3: unknown key imagetag; did you mean image_tag?\n');
  });
});

describe('what DigitalOcean says is told before any droplet is asked:', () => {
  it.concurrent('a wrong token', async () => {
    const end = await refused('quiet', (part) => part.deploy('v2', [], { env: { DO_TOKEN: 'dop_v1_wrong' } }));
    expectRefusal(end, 2, {
      code: 'cloud-unauthorized',
      message: /^DigitalOcean refused the token \(401\)\./,
      hint: /^Check DO_TOKEN; make a new token at https:\/\/cloud\.digitalocean\.com\/account\/api\/tokens with the scopes load_balancer:read, /,
    });
    expect(end.stdout + end.stderr).not.toContain('dop_v1_wrong');
  });

  it.concurrent.each([
    [
      'lost',
      'balancer-not-found',
      'There is no load balancer "lb-quite".',
      /^This token sees "web" \(.*\), "lb-quiet" \(.*\)\. Set load_balancer: in config\/deploy\.yml/,
    ],
    [
      'twins',
      'balancer-ambiguous',
      '2 load balancers are named "twin".',
      /^Name one by its id, as load_balancer: in config\/deploy\.yml or in the variable LOAD_BALANCER: "twin" \([-0-9a-f]{36}\), "twin" \([-0-9a-f]{36}\)\.$/,
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
      /^Set droplet: in config\/deploy\.yml \(or STAGING_DROPLET_ID\) to the id /,
    ],
    [
      'greedy',
      'floor-impossible',
      'rollout.min_in_rotation is 2, but there are 2 droplets: none could ever leave.',
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
      hint: 'Power them on, or take them out of the load balancer.',
    });
  });

  it.concurrent('a fleet of one; the outage has to be accepted', async () => {
    const end = await refused('one', (part) => part.deploy('v2'));
    expectRefusal(end, 2, {
      code: 'fleet-of-one',
      message: 'Only one droplet is behind the load balancer: while it is updated nothing would serve.',
      hint: 'Add a second droplet, or accept the outage with --allow-downtime.',
    });
    const part = divided.part('one');
    expect(await part.deploy('v2', ['--allow-downtime'])).toMatchObject({ code: 0 });
    expect(part.summary()).toEqual(['in v2']);
  });

  it.concurrent('a token that may not tag', async () => {
    const scopes = ['load_balancer:read', 'load_balancer:update', 'droplet:read', 'droplet:update', 'tag:read'];
    const fleet = await SandboxFleet.start({ droplets: 2, scopes });
    try {
      const end = await fleet.run(['deploy', 'sandbox', 'v1', '--json']);
      expectRefusal(end, 2, {
        code: 'ledger-forbidden',
        message: /^The token may not tag droplets, so do-deploy could not keep track of a droplet that is out/,
        hint: 'Give the token the scopes tag:create, tag:delete, tag:read and droplet:update.',
      });
      expect(fleet.region.apiLog.filter(({ method, outcome }) => method !== 'GET' && outcome !== 403)).toEqual([]);
    } finally {
      await fleet.stop();
    }
  });
});

describe('what is wrong with a droplet is told before any leaves:', () => {
  // One after the other: they share their droplets.
  it('it cannot be reached', async () => {
    const { end, sick } = await refusedBySecond({ ssh: 'refuse' });
    expectRefusal(end, 1, {
      code: 'ssh-unreachable',
      message: `droplet ${sick.name} (127.0.0.1:${sick.sshPort}) refused the connection.`,
      hint: `Is sshd running there, on that port? Try: ssh -v -p ${sick.sshPort} root@127.0.0.1`,
      droplet: sick.name,
    });
  });

  it('it shows another host key than before', async () => {
    const { end, sick } = await refusedBySecond({ hostKeyChanged: true });
    expectRefusal(end, 1, {
      code: 'ssh-host-key',
      message: new RegExp(
        `^The host key of ${sick.name} .* has changed: expected SHA256:.*, but it presented SHA256:.*\\. Nothing was sent to it\\.$`,
      ),
      hint: /^Only if the droplet was rebuilt, or its address given to another: ssh-keygen -R .* Otherwise somebody may be listening in\.$/,
      droplet: sick.name,
    });
  });

  it('Docker does not answer', async () => {
    const { end, sick } = await refusedBySecond({ daemonDown: true });
    expectRefusal(end, 1, {
      code: 'docker-missing',
      message: `Docker does not answer on ${sick.name}: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?`,
      hint: 'Install Docker Engine, start it, and let the SSH user use it (group docker).',
      droplet: sick.name,
    });
  });

  it('its disk is full', async () => {
    const { end, sick } = await refusedBySecond({ diskFull: true });
    expectRefusal(end, 1, {
      code: 'disk-full',
      message: `Only 0 MB are free on Docker’s disk on ${sick.name}.`,
      hint: 'Free at least 512 MB, for instance with `docker image prune` there.',
      droplet: sick.name,
    });
  });

  it('the registry does not have the image', async () => {
    const { droplets } = divided.part('sick');
    const end = await refused('sick', (part) => part.deploy('v999'));
    expectRefusal(end, 1, {
      code: 'pull-failed',
      message: `The images cannot be pulled on ${droplets[0]?.name}: Error response from daemon: manifest for example/shop:v999 not found: manifest unknown: manifest unknown`,
      hint: 'Check the image’s name and tag, and that it was pushed.',
      droplet: droplets[0]?.name,
    });
    const staged = droplets.flatMap(({ home }) => readdirSync(join(home, 'do-deploy/shop/releases')));
    expect(
      staged.filter((id) => !id.endsWith('-v1')),
      'what was staged is gone again',
    ).toEqual([]);
  });

  it('nobody knows it, and host_keys is strict', async () => {
    const cwd = await strictCheckout();
    const end = await refused('quiet', (part) => part.deploy('v2', [], { cwd }));
    expectRefusal(end, 1, {
      code: 'ssh-host-key',
      message: /is not in known_hosts, and ssh\.host_keys is strict\. It presented SHA256:\S+ \(ssh-ed25519\)\.$/,
      hint: /^If the droplet's console shows that fingerprint .* run: ssh-keyscan -t ed25519 -p \d+ 127\.0\.0\.1 >> \S+\/known_hosts$/,
    });
  });
});

/** Runs the task; afterwards the environment's rotation, ledger and containers are what they were. */
async function refused(environment: string, task: (part: Part) => Promise<CommandEnd>): Promise<CommandEnd> {
  const part = divided.part(environment);
  const before = part.state();
  const end = await task(part);
  expect(part.state()).toEqual(before);
  expect(part.rotationCalls()).toEqual([]);
  return end;
}

/** A deploy to droplets of which the second, which is not the one that pulls first, has a fault. */
async function refusedBySecond(faults: Partial<DropletFaults>): Promise<{ end: CommandEnd; sick: SandboxDroplet }> {
  const [, sick] = divided.part('sick').droplets;
  if (sick === undefined) throw new Error('there is no second droplet');
  await sick.setFaults(faults);
  try {
    return { end: await refused('sick', (part) => part.deploy('v2')), sick };
  } finally {
    await sick.clearFaults();
  }
}

interface Expected {
  code: string;
  message: string | RegExp;
  hint: string | RegExp;
  droplet?: string | undefined;
}

function expectRefusal(end: CommandEnd, exitCode: number, { code, message, hint, droplet }: Expected): void {
  expect(end.code, end.stdout + end.stderr).toBe(exitCode);
  expect(end.result).toMatchObject({ outcome: 'failed', summary: 'Nothing was changed in rotation.' });
  const error: Partial<ErrorInfo> = end.result?.error ?? {};
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.hint).toMatch(hint);
  if (droplet !== undefined) expect(error.droplet).toBe(droplet);
}

async function addEnvironments(environments: Record<string, unknown>): Promise<void> {
  await edit(divided.fleet.folder, 'config/deploy.yml', (text) => {
    const settings = parse(text) as { environments: object };
    return stringify({ ...settings, environments: { ...settings.environments, ...environments } });
  });
  for (const name of Object.keys(environments)) {
    await writeFile(join(divided.fleet.folder, `config/.env.${name}`), '');
  }
}

/** A checkout that knows where the droplets are, and none of their keys. */
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

async function edit(folder: string, path: string, change: (text: string) => string): Promise<void> {
  await writeFile(join(folder, path), change(await readFile(join(folder, path), 'utf8')));
}
