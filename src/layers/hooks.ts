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
import { variablesOf } from '../rollout/lifecycle-variables.js';
import { runHook, TERM_MS } from './hook-process.js';

const PRIORITY = 50;

/** It gets time to end after its signal: to clean up, and to print what it does. */
type HookHandler = Handler & { readonly endMs: number };

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
): HookHandler[] {
  if (hooks === undefined) return [];
  const allowed = Object.entries(hooks.secrets).map(([name, value]) => [name, value.reveal()]);
  const passed = { ...withoutSecrets(env, isSecret), ...Object.fromEntries(allowed) };
  return hooks.programs.map(({ event, path }): HookHandler => {
    const handle = (payload: LifecyclePayload, context: HandlerContext) =>
      runHook(clock, join(root, path), root, { ...passed, ...variablesOf(payload) }, payload, context);
    const { timeoutMs } = hooks;
    return { name: `hook ${path}`, event, priority: PRIORITY, timeoutMs, endMs: TERM_MS, handle };
  });
}

/** The variables of this environment that neither are named like a secret nor hold one. */
export function withoutSecrets(env: ProcessEnv, isSecret: (value: string) => boolean): Record<string, string> {
  const pairs = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return Object.fromEntries(pairs.filter(([name, value]) => !namesSecret(name) && !isSecret(value)));
}
