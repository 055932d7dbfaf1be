import { expect, it } from 'vitest';
import { withoutSecrets } from '../../src/cli/roll.js';
import { showingNames, traced } from '../../src/cli/wire.js';
import type { Cloud, Web } from '../../src/ports.js';
import { Redactor } from '../../src/reporters/redacting.js';
import type { Handler, HandlerContext, LifecyclePayload, OneOffResult } from '../../src/rollout/lifecycle.js';
import { VirtualClock } from '../support/virtual-clock.js';

it('the lines and the output of a one-off container are masked for a layer', async () => {
  const redactor = new Redactor(['app-secret-4f1b9a']);
  const lines: string[] = [];
  let result: OneOffResult | undefined;
  const handler: Handler = {
    name: 'layer own',
    event: 'deploy',
    priority: 50,
    timeoutMs: 1,
    handle: async (_, { run }) => {
      result = await run('app', ['sh'], { once: 'x', onLine: (line) => lines.push(line) });
    },
  };
  const run: HandlerContext['run'] = async (_, __, options) => {
    options?.onLine?.('it is app-secret-4f1b9a', 'program');
    return { code: 0, output: 'it was app-secret-4f1b9a', done: 'now' };
  };
  const safe = withoutSecrets((text) => redactor.redact(text))(handler);
  const payload = { event: 'deploy', who: 'app-secret-4f1b9a', droplets: ['web-1'] } as unknown as LifecyclePayload;
  expect(safe.present?.(payload)).toMatchObject({ who: '[secret]', droplets: ['web-1'] });
  await safe.handle(payload, { run } as HandlerContext);
  expect(lines).toEqual(['it is [secret]']);
  expect(result?.output).toBe('it was [secret]');
});

it('what DigitalOcean names is shown, although an env file holds the same text', async () => {
  const redactor = new Redactor(['web-1', ' web-2 ', 'other-secret']);
  expect(redactor.redact('web-1, web-2, other-secret')).toBe('[secret], [secret], [secret]');
  const named = { listDroplets: async () => [{ name: 'web-1' }, { name: 'web-2' }] } as unknown as Cloud;
  await showingNames(named, (names) => redactor.show(names)).listDroplets();
  expect(redactor.redact('web-1, web-2, other-secret')).toBe('web-1, web-2, [secret]');
  redactor.add(['web-1', 'late-secret']);
  expect(redactor.redact('web-1 late-secret')).toBe('web-1 [secret]');
});

it('a secret is hidden without the blanks at its ends', () => {
  expect(new Redactor(['  hunter22-abc ']).redact('it is hunter22-abc.')).toBe('it is [secret].');
});

it('of the address that is probed, the trace has no query', async () => {
  const clock = new VirtualClock();
  const traces: unknown[] = [];
  const web: Web = {
    get: async () => {
      await clock.sleep(40);
      return { status: 200, detail: 'HTTP 200' };
    },
  };
  await clock.run(
    traced(web, clock, (trace) => traces.push(trace)).get('https://shop.example/healthz?key=4f1b', 1_000),
  );
  expect(traces).toEqual([{ kind: 'http', what: 'GET https://shop.example/healthz?… 200', ms: 40 }]);
});
