/**
 * Hooks: programs of the project that run here at an event. Each gets the event in variables and, as JSON, on its standard
 * input.
 */
import { join } from 'node:path';
import { namesSecret } from '../config/harmless.js';
import type { Settings } from '../config/settings.js';
import type { ProcessEnv } from '../config/variables.js';
import type { Clock } from '../ports.js';
import type { Handler, HandlerContext, LifecyclePayload } from '../rollout/lifecycle.js';
import { runHook } from './hook-process.js';

const PRIORITY = 50;

/**
 * The project's hooks, as handlers.
 * @param isSecret whether a value is masked in the output
 * @param clock for what a program may take to end
 */
export function hookHandlers(
  { root, hooks }: Settings,
  env: ProcessEnv,
  isSecret: (value: string) => boolean,
  clock: Clock,
): Handler[] {
  if (hooks === undefined) return [];
  const allowed = Object.entries(hooks.secrets).map(([name, value]) => [name, value.reveal()]);
  const passed = { ...withoutSecrets(env, isSecret), ...Object.fromEntries(allowed) };
  return hooks.programs.map(({ event, path }): Handler => {
    const handle = (payload: LifecyclePayload, context: HandlerContext) =>
      runHook(clock, join(root, path), root, { ...passed, ...variablesOf(payload) }, payload, context);
    return { name: `hook ${path}`, event, priority: PRIORITY, timeoutMs: hooks.timeoutMs, handle };
  });
}

function withoutSecrets(env: ProcessEnv, isSecret: (value: string) => boolean): Record<string, string> {
  const pairs = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return Object.fromEntries(pairs.filter(([name, value]) => !namesSecret(name) && !isSecret(value)));
}

function variablesOf(payload: LifecyclePayload): Record<string, string> {
  const { event, command, app, environment, release, droplets, droplet, result, durationMs, url } = payload;
  return {
    DO_DEPLOY_EVENT: event,
    DO_DEPLOY_COMMAND: command,
    DO_DEPLOY_APP: app,
    DO_DEPLOY_ENVIRONMENT: environment,
    DO_DEPLOY_RELEASE: release.id,
    DO_DEPLOY_IMAGE_TAG: release.imageTag,
    DO_DEPLOY_COMMIT: release.commit ?? '',
    DO_DEPLOY_DROPLETS: droplets.join(' '),
    DO_DEPLOY_DROPLET: droplet ?? '',
    DO_DEPLOY_OUTCOME: result?.outcome ?? '',
    DO_DEPLOY_ERROR_CODE: result?.error?.code ?? '',
    DO_DEPLOY_ERROR: withoutZeros(result?.error?.message ?? ''),
    DO_DEPLOY_DURATION_MS: durationMs === undefined ? '' : String(durationMs),
    DO_DEPLOY_URL: url ?? '',
  };
}

/** A variable cannot hold a zero byte. */
function withoutZeros(text: string): string {
  return text.replaceAll('\0', '');
}
