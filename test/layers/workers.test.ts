/** What workers says and asks for before a droplet leaves. */
import { expect, it } from 'vitest';
import { handlersOf } from '../../src/layers/handlers.js';
import workers from '../../src/layers/workers.js';
import type { HandlerContext, ProcessAction } from '../../src/rollout/lifecycle.js';
import { payloadOf } from './service.js';

/** @param found of each service, its containers on the droplet, and those that the droplet's release has */
async function leave(found: Record<string, { reached: number; expected: number }>) {
  const shown: string[] = [];
  const asked: [string, ProcessAction][] = [];
  const process: HandlerContext['process'] = async (service, action) => {
    asked.push([service, action]);
    return found[service] ?? { reached: 0, expected: 0 };
  };
  const config = workers.config.parse({ services: Object.keys(found), quiet: 'TSTP', stop_timeout: '5m' });
  const handler = handlersOf(workers, config, {}).find(({ event }) => event === 'before_leave');
  const context = { process, log: (line: string) => shown.push(line) } as unknown as HandlerContext;
  await handler?.handle(payloadOf('before_leave'), context);
  return { shown, asked };
}

it('quiets and stops with the same time to finish', async () => {
  const { shown, asked } = await leave({ sidekiq: { reached: 2, expected: 2 } });
  expect(shown).toEqual(['sidekiq: no new jobs (TSTP)', 'sidekiq: stopped']);
  expect(asked).toEqual([
    ['sidekiq', { signal: 'TSTP', graceMs: 300_000 }],
    ['sidekiq', { stop: { graceMs: 300_000 } }],
  ]);
});

it('says nothing of a service that the droplet’s release does not have, and names one without containers', async () => {
  expect((await leave({ sidekiq: { reached: 0, expected: 0 } })).shown).toEqual([]);
  const { shown } = await leave({
    sidekiq: { reached: 1, expected: 1 },
    mailer: { reached: 0, expected: 1 },
    queue: { reached: 0, expected: 0 },
  });
  expect(shown).toEqual(['sidekiq: no new jobs (TSTP)', 'sidekiq: stopped', 'mailer: no container']);
});
