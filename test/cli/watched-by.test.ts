/** Layers that follow the events of a run. */
import { describe, expect, it } from 'vitest';
import { watchedBy } from '../../src/cli/watched-by.js';
import type { Handler } from '../../src/rollout/lifecycle.js';
import type { DeployEvent } from '../../src/rollout/model.js';
import { CollectingReporter } from '../support/collecting-reporter.js';

type OnEvent = (event: DeployEvent) => unknown;

function handlersOf(...layers: (OnEvent | undefined)[]): Handler[] {
  return layers.flatMap((onEvent, index) => {
    const layer = { confirms: [], onEvent: onEvent as (event: DeployEvent) => void };
    const handler = { name: `layer ${index}`, priority: 50, timeoutMs: 1, layer, handle: async () => {} };
    return [
      { ...handler, event: 'deploy' as const },
      { ...handler, event: 'deploy_failed' as const },
    ];
  });
}

const notice = (message: string): DeployEvent => ({
  schema: 2,
  at: '2026-11-21T07:45:00.000Z',
  type: 'notice',
  level: 'info',
  message,
});

const redact = (text: string) => text.replaceAll('hunter22', '[secret]');

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a reporter that layers watch', () => {
  it('shows each of them every event once, masked, after it was reported', () => {
    const inner = new CollectingReporter();
    const seen: [string, number][] = [];
    const watch: OnEvent = (event) => seen.push([JSON.stringify(event), inner.events.length]);
    const reporter = watchedBy(handlersOf(watch, undefined, watch), inner, redact);
    reporter.report(notice('the password is hunter22'));
    expect(inner.events).toEqual([notice('the password is hunter22')]);
    const shown = JSON.stringify(notice('the password is [secret]'));
    expect(seen).toEqual([
      [shown, 1],
      [shown, 1],
    ]);
  });

  it.each<[string, OnEvent]>([
    [
      'throws',
      () => {
        throw new Error('no hunter22 here.');
      },
    ],
    ['rejects', async () => await Promise.reject(new Error('no hunter22 here.'))],
  ])('warns once of a layer that %s, and goes without it', async (_, broken) => {
    const inner = new CollectingReporter();
    let calls = 0;
    const seen: string[] = [];
    const count: OnEvent = (event) => {
      calls += 1;
      return broken(event);
    };
    const reporter = watchedBy(
      handlersOf(count, (event) => seen.push(event.type)),
      inner,
      redact,
    );
    reporter.report(notice('one'));
    await settled();
    reporter.report(notice('two'));
    await settled();
    expect(calls).toBe(1);
    expect(seen).toEqual(['notice', 'notice']);
    expect(inner.of('notice').map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'info: one',
      'warning: The layer 0 cannot follow this run: no hunter22 here.',
      'info: two',
    ]);
  });

  it('is the reporter itself when no layer watches', () => {
    const inner = new CollectingReporter();
    expect(watchedBy(handlersOf(undefined), inner, redact)).toBe(inner);
  });
});
