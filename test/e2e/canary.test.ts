import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };
const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

describe('a canary on two droplets under load', { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  const run = (...words: string[]) => fleet.run([...words, '--yes', '--json']);
  const underLoad = async (...words: string[]) => {
    const load = fleet.load();
    const end = await run(...words);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    return end;
  };
  const canary = (release: string) => underLoad('production', release, '--canary');

  it('is held with both releases serving, and taken back', async () => {
    expect(await canary('v2')).toMatchObject({ ...DEPLOYED, result: { held: { droplets: ['web-1'] } } });
    expect(await fleet.versions()).toEqual({ 'web-1': 'v2', 'web-2': 'v1' });
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect((await fleet.run(['status', 'production', '--check'])).code).toBe(0);
    expect(await underLoad('abort', 'production')).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
  });

  it('is promoted after its deploy was killed half-way', async () => {
    const deploy = fleet.start(['production', 'v2', '--canary', '--yes', '--json']);
    deploy.onEvent((event) => {
      if (event.type === 'step-started' && event.step === 'health') deploy.child.kill('SIGKILL');
    });
    await deploy.ended;
    expect(await run('promote', 'production', '--wait-lock', '1m')).toMatchObject({
      code: 1,
      result: { error: { code: 'canary-sick' } },
    });
    expect(await canary('v2')).toMatchObject(DEPLOYED);
    expect(await underLoad('promote', 'production', '--wait-lock', '1m')).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('gives way to a plain deploy', async () => {
    expect(await canary('v3')).toMatchObject(DEPLOYED);
    const end = await underLoad('production', 'v1');
    expect(end).toMatchObject(DEPLOYED);
    expect(end.result?.held).toBeUndefined();
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
