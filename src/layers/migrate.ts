/** Migrations: a one-off container of the new release, once per release, before or after the rollout. */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { commandWords, durationMs } from './settings.js';

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
  if (done === 'before') return logger.info('the last migration was for this release');
  for (const line of output.split('\n')) if (line.trim() !== '') logger.info(line.trimEnd());
  if (code !== 0) throw new Error(`${words.join(' ')} ended with exit code ${code}`);
}

export default defineLayer({
  name: 'migrate',
  kind: 'application',
  config,
  timeoutMs: ({ timeout }) => timeout,
  on: {
    deploy: async (payload, context) => {
      if (context.config.when === 'before') await migrate(payload, context);
    },
    post_deploy: async (payload, context) => {
      if (context.config.when === 'after') await migrate(payload, context);
    },
  },
});
