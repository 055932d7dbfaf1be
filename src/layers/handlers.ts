/** Turns a layer and its checked settings into handlers of events. */
import { inspect } from 'node:util';
import type { Handler, HandlerContext, LayerFacts, LifecycleEvent, LifecyclePayload } from '../rollout/lifecycle.js';
import { answerOf } from './definition.js';
import type { Layer, LayerContext, LayerHandler } from './layer.js';

const PRIORITY = 50;

const TIMEOUT_MS = 30_000;

const NOTIFIER_TIMEOUT_MS = 5_000;

/**
 * Throws WrongAnswer.
 * @param env the variables that the layer requires
 */
export function handlersOf(layer: Layer, config: unknown, env: Readonly<Record<string, string>>): Handler[] {
  const { timeoutMs: given, confirms, events } = layer;
  const usual = typeof given === 'function' ? answerOf('timeoutMs', () => given(config)) : given;
  const timeoutMs = usual ?? (layer.kind === 'notifier' ? NOTIFIER_TIMEOUT_MS : TIMEOUT_MS);
  const asked = confirms === undefined ? [] : answerOf('confirms', () => confirms(config));
  const facts: LayerFacts = {
    confirms: asked.map((one) => (typeof one === 'string' ? one : one.name)),
    confirmations: asked.filter((one) => typeof one !== 'string'),
    onEvent: layer.onEvent && ((event) => layer.onEvent?.(event, { config })),
  };
  const wanted: readonly string[] =
    events === undefined ? Object.keys(layer.on) : answerOf('events', () => events(config));
  const chosen = Object.entries(layer.on).filter(([event]) => wanted.includes(event));
  return chosen.map(([event, given]) => {
    const handler: { priority?: number; timeoutMs?: number; run: LayerHandler<unknown> } =
      typeof given === 'function' ? { run: given } : given;
    return {
      name: `layer ${layer.name}`,
      event: event as LifecycleEvent,
      priority: handler.priority ?? layer.priority ?? PRIORITY,
      timeoutMs: handler.timeoutMs ?? timeoutMs,
      mayFail: layer.mayFail ?? layer.kind === 'notifier',
      layer: facts,
      handle: async (payload, context) => {
        await handler.run(payload, contextOf(payload, context, config, env));
      },
    };
  });
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY });
}

function contextOf(
  payload: LifecyclePayload,
  { signal, startedAt, sleep, log, run, process, confirm }: HandlerContext,
  config: unknown,
  env: Readonly<Record<string, string>>,
): LayerContext {
  // A layer in JavaScript may print anything.
  const logger = { info: (line: unknown) => log(shown(line)), warn: (line: unknown) => log(`warning: ${shown(line)}`) };
  const bounded: typeof fetch = async (url, init) => {
    const signals = init?.signal ? [signal, init.signal] : [signal];
    return await fetch(url, { ...init, signal: AbortSignal.any(signals) });
  };
  const { release, droplets, result } = payload;
  const ask: LayerContext['confirm'] = (name, question) => confirm(name, question, signal);
  return {
    config,
    env,
    release,
    droplets,
    result,
    signal,
    startedAt,
    sleep,
    logger,
    run,
    process,
    fetch: bounded,
    confirm: ask,
  };
}
