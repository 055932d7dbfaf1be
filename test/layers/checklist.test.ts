import { describe, expect, it } from 'vitest';
import checklist from '../../src/layers/checklist.js';
import type { LifecycleEvent, LifecyclePayload } from '../../src/rollout/lifecycle.js';
import { layerWith, problemsWith } from './service.js';

const SNAPSHOT = { name: 'db-snapshot', ask: 'Snapshot taken?' };
const FLAG = { name: 'flag-off', ask: 'Is the feature flag off?' };

/** @param answers by name; undefined: no user can be asked */
async function setup(items: object[], answers: Record<string, boolean | undefined> = {}) {
  const asked: string[] = [];
  const layer = await layerWith(checklist, items, {
    confirm: async (name, question) => {
      asked.push(`${name}: ${question}`);
      return answers[name];
    },
  });
  const raise = async (event: LifecycleEvent, more?: Partial<LifecyclePayload>) => {
    asked.length = 0;
    await layer.raise(event, more);
    return [...asked];
  };
  return { ...layer, asked, raise };
}

describe('checklist', () => {
  it('asks for its items before a deploy, or at the event that they name', async () => {
    const items = [SNAPSHOT, { ...FLAG, on: 'post_deploy' }];
    const { raise, logged } = await setup(items, { 'db-snapshot': true, 'flag-off': true });
    expect(await raise('configure')).toEqual([]);
    expect(await raise('pre_deploy')).toEqual(['db-snapshot: Snapshot taken?']);
    expect(await raise('deploy')).toEqual([]);
    expect(await raise('post_deploy')).toEqual(['flag-off: Is the feature flag off?']);
    expect(logged).toEqual(['db-snapshot is confirmed', 'flag-off is confirmed']);
  });

  it('fails at a no, without another question', async () => {
    const { raise, asked } = await setup([SNAPSHOT, FLAG], { 'db-snapshot': false });
    await expect(raise('pre_deploy')).rejects.toMatchObject({
      message: 'db-snapshot is not confirmed (Snapshot taken?)',
      hint: 'Run again with: --confirm db-snapshot',
      source: 'user',
      code: 'not-confirmed',
    });
    expect(asked).toEqual(['db-snapshot: Snapshot taken?']);
  });

  it('names everything to confirm at this event when no user can be asked', async () => {
    const items = [
      SNAPSHOT,
      { name: 'announced', ask: 'Announced?' },
      FLAG,
      { name: 'later', ask: 'Later?', on: 'deploy' },
    ];
    const { raise } = await setup(items, { announced: true });
    await expect(raise('pre_deploy')).rejects.toMatchObject({
      message: 'db-snapshot, flag-off are not confirmed',
      hint: 'Run again with: --confirm db-snapshot --confirm flag-off',
      code: 'layer-failed',
    });
  });

  it('asks before a deploy only, unless an item names other commands', async () => {
    const items = [SNAPSHOT, { ...FLAG, commands: ['deploy', 'rollback'] }];
    const { raise } = await setup(items, { 'db-snapshot': true, 'flag-off': true });
    expect(await raise('pre_deploy', { command: 'heal' })).toEqual([]);
    expect(await raise('pre_deploy', { command: 'rollback' })).toEqual(['flag-off: Is the feature flag off?']);
  });

  it('gives a user more time than other layers have, and comes before them', async () => {
    const { handlers } = await setup([SNAPSHOT]);
    expect(handlers.every(({ timeoutMs, priority }) => timeoutMs === 900_000 && priority < 50)).toBe(true);
    expect(new Set(handlers.flatMap(({ layer }) => layer?.confirms ?? []))).toEqual(new Set(['db-snapshot']));
  });

  it('says what is wrong with its settings', () => {
    expect(problemsWith(checklist, [SNAPSHOT])).toEqual([]);
    expect(problemsWith(checklist, SNAPSHOT)).toEqual(['must be a list of items, each with name and ask']);
    expect(problemsWith(checklist, [SNAPSHOT, SNAPSHOT])).toEqual(['must have items with different names']);
    expect(problemsWith(checklist, [{ name: '--yes', ask: ' ', on: 'deploy_failed', commands: ['status'] }])).toEqual([
      '0.name must be a name of letters a-z, digits and . _ -',
      '0.ask must be a text of 1 to 500 characters, in one line',
      '0.on must be one of configure, pre_deploy, deploy, post_deploy',
      '0.commands.0 must be one of deploy, rollback, heal, adopt, restart, stop, start, droplet out, droplet in',
    ]);
  });
});
