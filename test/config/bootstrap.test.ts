import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createProject, load } from './project-folder.js';

async function bootstrapOf(bootstrap: unknown) {
  const config = JSON.stringify({ app: 'shop', environments: { test: { droplet: 1 } }, bootstrap });
  const root = createProject({ 'config/deploy.yml': config, 'compose/docker-compose.yml': '' });
  return { root, ...(await load(root)).bootstrap };
}

it('has defaults', async () => {
  const { root: _, ...defaults } = await bootstrapOf({});
  expect(defaults).toEqual({
    dockerGroup: true,
    docker: 'distribution',
    firewall: {},
    hardenSsh: true,
    unattendedUpgrades: true,
    swap: true,
    waitMs: 600_000,
  });
});

it.each(['ssh-rsa', 'ecdsa-sha2-nistp256', 'sk-ssh-ed25519@openssh.com'])('takes a key of %s', async (type) => {
  const key = `${type} ${'A'.repeat(70)}==`;
  expect((await bootstrapOf({ authorized_keys: [key] })).authorizedKeys).toEqual([{ key }]);
});

it('takes keys as they are, and paths from the project', async () => {
  const key = `ssh-ed25519 ${'A'.repeat(68)} ann@laptop`;
  const { root, authorizedKeys } = await bootstrapOf({ authorized_keys: [key, 'deploy/keys', '/etc/keys'] });
  expect(authorizedKeys).toEqual([{ key }, { path: join(root, 'deploy/keys') }, { path: '/etc/keys' }]);
});

it.each([['10.10.0.0/20'], ['203.0.113.7'], ['fd00::/8'], ['2001:db8::1'], ['::/0']])(
  'the firewall admits %s',
  async (range) => {
    expect((await bootstrapOf({ firewall: { from: [range] } })).firewall).toEqual({ from: [range] });
  },
);

it.each([
  [{ firewall: { from: ['10.0.0.0/33'] } }, 'firewall'],
  [{ firewall: { from: ['10.0.0.0/8 -j ACCEPT'] } }, 'firewall'],
  [{ firewall: { from: ['fd00::/129'] } }, 'firewall'],
  [{ firewall: { open: [0] } }, 'firewall'],
  [{ firewall: true }, 'firewall'],
  [{ docker: 'snap' }, 'bootstrap.docker'],
  [{ authorized_keys: [] }, 'bootstrap.authorized_keys'],
  // Cut off, with options, of another kind, or private: no path is meant.
  [{ authorized_keys: ['ssh-ed25519 AAAAC3Nza ann@laptop'] }, 'bootstrap.authorized_keys'],
  [{ authorized_keys: [`ssh-ed25519 ${'A'.repeat(68)}\nssh-rsa`] }, 'bootstrap.authorized_keys'],
  [{ authorized_keys: [`ssh-ed25519 ${'A'.repeat(68)}!`] }, 'bootstrap.authorized_keys'],
  [{ authorized_keys: [`ssh-dss ${'A'.repeat(68)}`] }, 'bootstrap.authorized_keys'],
  [{ authorized_keys: ['-----BEGIN OPENSSH PRIVATE KEY-----'] }, 'bootstrap.authorized_keys'],
])('%j is refused', async (written, place) => {
  await expect(bootstrapOf(written)).rejects.toMatchObject({
    problems: [{ message: expect.stringContaining(place) }],
  });
});
