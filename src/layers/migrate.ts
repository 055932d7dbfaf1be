/** Migrations: a one-off container of the new release, once per release, before or after the rollout. */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { commandWords, durationMs } from './settings.js';

/** Of the output: what failed stands at its end. */
const MAX_LINES = 500;

const config = z.strictObject({
  service: z.string('must be the name of a service').min(1, 'must be the name of a service'),
  command: commandWords,
  timeout: durationMs.default(600_000),
  on_rollback: z.boolean('must be true or false').default(false),
  when: z.enum(['before', 'after'], 'must be before or after').default('before'),
});

type Config = z.output<typeof config>;

async function migrate({ command }: LifecyclePayload, context: LayerContext<Config>): Promise<void> {
  const { config: settings, run, logger, signal } = context;
  if (command !== 'deploy' && !(command === 'rollback' && settings.on_rollback)) return;
  const words = settings.command;
  logger.info(`running ${words.join(' ')} in ${settings.service}`);
  // After a rollback that migrated, the release that it left is migrated again.
  const { code, output, done } = await run(settings.service, words, { once: 'migrate', signal });
  if (done === 'before') return logger.info('not run: the last migration was for this release');
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > MAX_LINES) logger.info(`only the last ${MAX_LINES} of ${lines.length} lines are shown`);
  for (const line of lines.slice(-MAX_LINES)) logger.info(line.trimEnd());
  const last = lines.at(-1)?.trim().slice(0, 500);
  if (code !== 0) throw new Error(`${words.join(' ')} ended with exit code ${code}${last ? `: ${last}` : ''}`);
}

export default defineLayer({
  name: 'migrate',
  kind: 'application',
  config,
  timeoutMs: ({ timeout }) => timeout,
  services: ({ service }) => [{ name: service, path: ['service'] }],
  on: {
    deploy: async (payload, context) => {
      if (context.config.when === 'before') await migrate(payload, context);
    },
    post_deploy: async (payload, context) => {
      if (context.config.when === 'after') await migrate(payload, context);
    },
  },
});
