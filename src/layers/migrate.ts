/** Migrations: a one-off container of the new release, once per release, before or after the rollout. */
import { z } from 'zod';
import type { LifecyclePayload, OneOffOptions, Speaker } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { commandWords, durationMs } from './settings.js';

/** Of the output: the first lines are shown as they come, and of the others the last: what failed stands at the end. */
const FIRST_LINES = 250;
const LAST_LINES = 250;

/** Compose's own last line: it names containers, and no reason. */
const NO_REASON = /failed to start containers/i;
const UNREADABLE = /logging driver does not support reading/i;

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
  const output = new Excerpt((line) => logger.info(line));
  const onLine: OneOffOptions['onLine'] = (line, speaker) => output.add(line.trimEnd(), speaker);
  // Its time is over: what came until now may say why.
  signal.addEventListener('abort', () => output.end(), { once: true });
  // After a rollback that migrated, the release that it left is migrated again.
  const { code, done } = await run(settings.service, words, { once: 'migrate', signal, onLine });
  output.end();
  if (done === 'before') return logger.info('not run: the last migration was for this release');
  const last = output.cause?.trim().slice(0, 500);
  if (code !== 0) throw new Error(`${words.join(' ')} ended with exit code ${code}${last ? `: ${last}` : ''}`);
}

/** Shows the beginning and the end of lines that come one after another. */
class Excerpt {
  readonly #show: (line: string) => void;
  readonly #held: string[] = [];
  #lines = 0;
  readonly #last: Partial<Record<Speaker, string>> = {};
  /** What Docker says before it says that it has failed. */
  #reason = '';

  constructor(show: (line: string) => void) {
    this.#show = show;
  }

  /** Of the program: Docker may print something after it, such as that the connection was lost. */
  get cause(): string | undefined {
    const { program, docker } = this.#last;
    if (program !== undefined || docker === undefined) return program;
    if (UNREADABLE.test(docker)) return 'its log cannot be read, because of the logging driver of the service';
    return NO_REASON.test(docker) && this.#reason !== '' ? `${this.#reason} ${docker}` : docker;
  }

  add(line: string, speaker: Speaker): void {
    if (line === '') return;
    this.#lines += 1;
    if (speaker === 'docker') this.#reason = this.#last.docker ?? '';
    this.#last[speaker] = line;
    if (this.#lines <= FIRST_LINES) this.#show(line);
    else this.#held.push(line);
    if (this.#held.length > LAST_LINES) this.#held.shift();
  }

  end(): void {
    const left = this.#lines - FIRST_LINES - this.#held.length;
    if (this.#held.length > 0 && left > 0) this.#show(`${left} lines are left out`);
    for (const line of this.#held.splice(0)) this.#show(line);
    this.#lines = Math.min(this.#lines, FIRST_LINES);
  }
}

export default defineLayer({
  name: 'migrate',
  kind: 'application',
  config,
  timeoutMs: ({ timeout }) => timeout,
  services: ({ service }) => [{ name: service, path: ['service'], isOneOff: true }],
  on: {
    deploy: async (payload, context) => {
      if (context.config.when === 'before') await migrate(payload, context);
    },
    post_deploy: async (payload, context) => {
      if (context.config.when === 'after') await migrate(payload, context);
    },
  },
});
