/** What migrate shows of its output, and when. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { handlersOf } from '../../src/layers/handlers.js';
import type { Layer } from '../../src/layers/layer.js';
import migrate from '../../src/layers/migrate.js';
import type { HandlerContext, OneOffOptions, OneOffResult, Speaker } from '../../src/rollout/lifecycle.js';
import { payloadOf } from './service.js';

/** A container that prints these lines, and then ends or hangs. */
function setup(lines: readonly (string | [Speaker, string])[], result?: OneOffResult) {
  const shown: string[] = [];
  const time = new AbortController();
  let asked: OneOffOptions | undefined;
  const run: HandlerContext['run'] = async (_service, _words, options) => {
    asked = options;
    for (const line of lines) {
      const [speaker, text] = typeof line === 'string' ? (['program', line] as const) : line;
      options?.onLine?.(text, speaker);
    }
    return result ?? (await new Promise<never>(() => {}));
  };
  const config = migrate.config.parse({ service: 'app', command: 'bin/migrate' });
  const [handler] = handlersOf(migrate, config, {});
  const context = { run, log: (line: string) => shown.push(line), signal: time.signal } as unknown as HandlerContext;
  const ended = handler?.handle(payloadOf('deploy'), context);
  return { shown, time, ended, asked: () => asked };
}

const MANY = Array.from({ length: 1_000 }, (_, index) => `line ${index + 1}`);

describe('the output of a migration', () => {
  it('is shown as it comes, without empty lines', async () => {
    const { shown, ended, asked } = setup(['one', '', '  two  '], { code: 0, output: '', done: 'now' });
    await ended;
    expect(shown).toEqual(['running bin/migrate in app', 'one', '  two']);
    expect(asked()).toMatchObject({ once: 'migrate' });
  });

  it('is shown at its timeout: what came until then may say why', () => {
    const { shown, time } = setup(MANY.slice(0, 300));
    expect(shown.at(-1), 'before it').toBe('line 250');
    time.abort();
    expect(shown.slice(-50)).toEqual(MANY.slice(250, 300));
  });

  it('has its beginning and its end when it is long; the last line is the reason of a failure', async () => {
    const { shown, ended } = setup(MANY, { code: 3, output: '', done: 'now' });
    await expect(ended).rejects.toThrow('bin/migrate ended with exit code 3: line 1000');
    expect(shown.slice(1)).toEqual([...MANY.slice(0, 250), '500 lines are left out', ...MANY.slice(750)]);
  });

  it('is the reason of a failure only where it is the program’s own, or where the program said nothing', async () => {
    const failed: OneOffResult = { code: 3, output: '', done: 'now' };
    const lost: [Speaker, string] = ['docker', 'Error response from daemon: context canceled'];
    const waiting: [Speaker, string] = ['do-deploy', 'waiting for the container shop-migrate-once'];
    await expect(setup(['column exists', lost, waiting], failed).ended).rejects.toThrow(': column exists');
    await expect(setup([waiting, lost], failed).ended).rejects.toThrow(': Error response from daemon: context');
    await expect(setup([waiting], failed).ended).rejects.toThrow(/exit code 3$/);
  });

  it('names why a container cannot start, and not a log that cannot be read', async () => {
    const end: OneOffResult = { code: 1, output: '', done: 'now' };
    const why = 'Error response from daemon: exec: "bin/migrate": not found';
    const last = 'Error: failed to start containers: 4f1b9a77';
    const { ended } = setup(
      [
        ['docker', why],
        ['docker', last],
      ],
      end,
    );
    await expect(ended).rejects.toThrow(`${why} ${last}`);
    const unread = 'Error response from daemon: configured logging driver does not support reading';
    await expect(setup([['docker', unread]], end).ended).rejects.toThrow('exit code 1: its log cannot be read');
  });

  it('is none where it was done before', async () => {
    const { shown, ended } = setup([], { code: 0, output: '', done: 'before' });
    await ended;
    expect(shown.at(-1)).toBe('not run: the last migration was for this release');
  });
});

it('what a layer logs is a text, whatever it is', async () => {
  const shown: unknown[] = [];
  const on: Layer['on'] = {
    deploy: async (_, { logger }) => {
      for (const one of [undefined, { a: 'b' }, 7]) {
        logger.info(one as unknown as string);
        logger.warn(one as unknown as string);
      }
    },
  };
  const [handler] = handlersOf({ name: 'own', kind: 'application', config: z.unknown(), on }, {}, {});
  await handler?.handle(payloadOf('deploy'), { log: (line: unknown) => shown.push(line) } as unknown as HandlerContext);
  expect(shown).toEqual(['undefined', 'warning: undefined', "{ a: 'b' }", "warning: { a: 'b' }", '7', 'warning: 7']);
});
