/** The lock on real droplets: two SSH users, a stopped deployer, a full disk, and a local user in the way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { step } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };
const LOCKS = '/run/lock/do-deploy';
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Two deploys after one another, and a wait of 16 s. */
const PATIENCE_MS = 600_000;

describe('the lock of a droplet', { timeout: PATIENCE_MS }, () => {
  let fleet: Fleet;
  let deployConfig: string;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    deployConfig = await fleet.addUser('deploy');
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  /** As another SSH user, by another name. */
  const asDeploy = (...args: string[]) =>
    fleet.start([...args, '--yes', '--json', '--config', deployConfig], undefined, {
      GITHUB_ACTOR: String.raw`CORP\ann`,
    }).ended;

  it('is one for two SSH users', async () => {
    expect(await fleet.machine('web-1').must(`stat -c '%a %U %G' ${LOCKS}`)).toBe('2770 root docker\n');
    const first = fleet.startDeploy('v2');
    await first.event(step('step-started', 'web-1', 'leave'));
    const second = await asDeploy('deploy', 'production', 'v3');
    const end = await first.ended;
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(second).toMatchObject({ code: 3, result: { error: { code: 'lease-held' } } });
    expect(second.result?.error?.message).toContain(`release ${end.result?.release.id}`);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
  });

  it('that a stopped deployer has lost to another SSH user is noticed, and nothing is rolled back', async () => {
    const load = fleet.load();
    const first = fleet.startDeploy('v1');
    await first.event(step('step-started', 'web-1', 'switch'));
    first.child.kill('SIGSTOP');
    await pause(16_000);
    const second = await asDeploy('deploy', 'production', 'v3', '--wait-lock', '1m');
    expect(second).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    first.child.kill('SIGCONT');
    const end = await first.ended;
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'lease-lost' } } });
    expect(end.result?.error?.message).toContain(String.raw`CORP\ann@`);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('is not taken where the holder cannot be written down', async () => {
    const machine = fleet.machine('web-2');
    await machine.must(`mount -t tmpfs -o size=64k tmpfs ${LOCKS}; chgrp docker ${LOCKS}; chmod 2770 ${LOCKS}
      cat /dev/zero >${LOCKS}/ballast 2>/dev/null || :`);
    const end = await fleet.deploy('v2');
    await machine.must(`umount ${LOCKS}`);
    expect(end).toMatchObject({
      code: 1,
      result: { outcome: 'failed', error: { code: 'disk-full', droplet: 'web-2' } },
    });
    expect(end.result?.error?.message).toContain('its disk is full');
    expect(end.events.some((event) => event.type === 'batch-started')).toBe(false);
  });

  it('is taken by root although a local user has put a folder in its place, and refused to others', async () => {
    const machine = fleet.machine('web-1');
    await machine.must(`rm -rf ${LOCKS}; setpriv --reuid 4242 --regid 4242 --clear-groups mkdir -m 700 ${LOCKS}`);
    const refused = await asDeploy('deploy', 'production', 'v2');
    expect(refused).toMatchObject({ code: 1, result: { error: { code: 'lease-failed', droplet: 'web-1' } } });
    expect(refused.result?.error?.hint).toMatch(
      /^Move it away: ssh .*deploy@.* sudo mv \/run\/lock\/do-deploy \/run\/lock\/do-deploy\.\$\(date \+%s\)$/,
    );
    expect(await fleet.deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await machine.must(`stat -c '%a %U %G' ${LOCKS}`)).toBe('2770 root docker\n');
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
  });
});
