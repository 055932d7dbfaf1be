/** `git push` over SSH to OpenSSH's own server deploys to a fleet. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { SSHD, startSshd } from '../support/openssh.js';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { Clone } from './push.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

/** A repository that is pushed to over SSH, and a clone of it with the sandbox's project. */
async function prepare(): Promise<{ clone: Clone; bare: string }> {
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-push-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const bare = join(root, 'shop.git');
  const installed = await fleet.run(['hook', 'install', bare, 'sandbox']);
  expect(installed, installed.stderr).toMatchObject({ code: 0 });
  const files = join(bare, 'do-deploy/files/config');
  mkdirSync(files, { recursive: true });
  const work = join(root, 'work');
  cpSync(fleet.folder, work, { recursive: true });
  for (const name of readdirSync(join(work, 'config')).filter((one) => one.startsWith('.env'))) {
    cpSync(join(work, 'config', name), join(files, name));
    rmSync(join(work, 'config', name));
  }
  writeFileSync(join(work, '.gitignore'), 'config/.env*\n');
  const { port, key } = await startSshd();
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'IdentitiesOnly=yes', 'LogLevel=ERROR'];
  const ssh = ['ssh', '-F', '/dev/null', '-i', key, ...options.flatMap((option) => ['-o', option])];
  const env = { GIT_SSH_COMMAND: ssh.join(' ') };
  return { clone: new Clone(work, `ssh://${userInfo().username}@127.0.0.1:${port}${bare}`, env), bare };
}

function setImageTag(folder: string, tag: string): void {
  const file = join(folder, 'config/deploy.yml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^image_tag: .*$/m, `image_tag: ${tag}`));
}

describe.skipIf(SSHD === '')('a push over SSH', { shuffle: false }, () => {
  it('to the branch deploys its commit under load, and shows the pusher how', async () => {
    const { clone, bare } = await prepare();
    setImageTag(clone.folder, 'v2');
    const commit = clone.commit('version 2');
    const load = fleet.load();
    const { code, said } = await clone.push('main');
    expectNoFailures(await load.stop());
    expect(code, said).toBe(0);
    expect(said).toContain(`Deploying main (${commit.slice(0, 7)}) to sandbox.`);
    expect(said).toMatch(/web-1 .*deployed/);
    expect(said).toContain('main is deployed to sandbox.');
    expect(said).not.toContain(fleet.region.api.token);
    expect(readFileSync(join(bare, 'hooks/post-receive'), 'utf8')).not.toContain(fleet.region.api.token);
    expect(expectWhole(fleet)).toBe('v2');
    const status = await fleet.run(['status', 'sandbox', '--json']);
    expect(JSON.parse(status.stdout).rows[0]).toMatchObject({ commit });
    expect(readdirSync(join(bare, 'do-deploy/checkouts'))).toEqual([]);
  });

  it('of a tag deploys it under its name', async () => {
    const { clone } = await prepare();
    clone.commit('version 1 again');
    clone.git('tag', '-a', '-m', 'version 1', 'v1');
    const { said } = await clone.push('main', 'v1');
    expect(said).toContain('the tag v1 is what is deployed.');
    expect(said).toContain('v1 is deployed to sandbox.');
    expect(expectWhole(fleet)).toBe('v1');
  });

  it('of a release that fails says so, and the fleet and the commit are kept', async () => {
    const { clone, bare } = await prepare();
    setImageTag(clone.folder, 'broken');
    const commit = clone.commit('broken');
    const { code, said } = await clone.push('main');
    expect(code, said).toBe(0);
    expect(said).toContain('NOT DEPLOYED (exit code 1): see above. main is stored all the same');
    expect(clone.git('-C', bare, 'rev-parse', 'main')).toBe(commit);
    expect(expectWhole(fleet)).toBe('v1');
  });

  it('while another one is being deployed is refused by the lock, and stored', async () => {
    const { clone, bare } = await prepare();
    setImageTag(clone.folder, 'v2');
    clone.commit('version 2');
    const first = clone.startPush('main');
    await first.until('Rolling out');
    clone.git('tag', 'v3');
    const second = await clone.push('v3');
    expect(second.said).toContain('NOT DEPLOYED: another deploy to sandbox is running. v3 is stored all the same');
    expect((await first.ended).said).toContain('main is deployed to sandbox.');
    expect(clone.git('-C', bare, 'tag')).toBe('v3');
    expect(expectWhole(fleet)).toBe('v2');
  });

  it('whose pusher goes away is deployed to its end', async () => {
    const { clone } = await prepare();
    setImageTag(clone.folder, 'v1');
    clone.commit('version 1');
    const push = clone.startPush('main');
    await push.until('Rolling out');
    push.lose();
    await push.ended;
    await expect
      .poll(async () => (await fleet.run(['history', 'sandbox', '--json'])).events[0], {
        timeout: 120_000,
        interval: 1_000,
      })
      .toMatchObject({ imageTag: 'v1', outcome: 'succeeded', commit: clone.git('rev-parse', 'HEAD') });
    expect(expectWhole(fleet)).toBe('v1');
  });
});
