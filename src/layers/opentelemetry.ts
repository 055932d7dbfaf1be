/** OpenTelemetry: one trace of the run by OTLP/HTTP, sent when it has ended. https://opentelemetry.io/docs/specs/otlp/ */
import { z } from 'zod';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import { defineLayer, type LayerContext } from './layer.js';
import { line } from './notification.js';
import { post } from './post.js';
import { serviceUrl, words } from './settings.js';
import { Trace } from './trace.js';

const NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/;
const VALUE = 'must be the value of a header: ASCII text, in one line';

const config = z.strictObject({
  // Collectors' own instructions give either address.
  endpoint: serviceUrl().transform((url) => url.replace(/\/v1\/traces$/, '')),
  headers: z
    .record(
      z.string(),
      z.string({ error: VALUE }).regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/, { error: VALUE }),
      {
        error: 'must be a map of headers',
      },
    )
    .refine((headers) => Object.keys(headers).every((name) => NAME.test(name)), {
      error: 'must be a map of headers, each with a name of letters a-z, digits and -',
    })
    .default({}),
  service_name: words().default('do-deploy'),
});

type Context = LayerContext<z.output<typeof config>>;

/** Of runs that have not ended, by their settings. */
const traces = new WeakMap<object, Trace>();

export default defineLayer({
  name: 'opentelemetry',
  kind: 'third-party',
  config,
  secrets: ['headers'],
  // Its trace includes the other layers.
  priority: 90,
  onEvent(event, { config }) {
    if (event.type === 'rollout-finished') return;
    traceOf(config).see(event);
  },
  on: { deploy_succeeded: send, deploy_skipped: send, deploy_failed: send },
});

function traceOf(config: object): Trace {
  const trace = traces.get(config) ?? new Trace();
  traces.set(config, trace);
  return trace;
}

async function send(payload: LifecyclePayload, context: Context): Promise<void> {
  const { endpoint, headers, service_name } = context.config;
  const body = traceOf(context.config).request(payload, service_name);
  traces.delete(context.config);
  const answer = await post(context, { service: 'OpenTelemetry', url: `${endpoint}/v1/traces`, headers, body });
  const { rejectedSpans, errorMessage } = partialSuccess(answer);
  if (Number(rejectedSpans) > 0) {
    const why = typeof errorMessage === 'string' ? `: ${line(errorMessage, 200)}` : '';
    context.logger.warn(`the collector refused ${Number(rejectedSpans)} spans${why}`);
  }
}

function partialSuccess(answer: string): { rejectedSpans?: unknown; errorMessage?: unknown } {
  try {
    const parsed = JSON.parse(answer) as { partialSuccess?: object } | null;
    return parsed?.partialSuccess ?? {};
  } catch {
    return {};
  }
}
