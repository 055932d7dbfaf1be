/**
 * Spans as OTLP writes them in JSON: identifiers in hexadecimal, 64-bit numbers as text, enumerations as numbers.
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import { line } from './notification.js';

const MAX_TEXT = 500;

export const KIND = { internal: 1, server: 2 } as const;

/** STATUS_CODE_ERROR. A span without an error has no status: it is unset. */
const ERROR = 2;

export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface Span {
  readonly id: string;
  readonly parent: string | undefined;
  readonly name: string;
  readonly kind: (typeof KIND)[keyof typeof KIND];
  /** In ms since the epoch. */
  readonly from: number;
  to?: number;
  attributes: Attributes;
  /** The message, if it has failed. */
  error?: string;
}

/** An ExportTraceServiceRequest. */
export function exportRequest(trace: string, resource: Attributes, spans: readonly Span[]): object {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope: { name: 'do-deploy' }, spans: spans.map((span) => spanOf(trace, span)) }],
      },
    ],
  };
}

function spanOf(trace: string, { id, parent, name, kind, from, to = from, attributes, error }: Span): object {
  return {
    traceId: trace,
    spanId: id,
    ...(parent !== undefined && { parentSpanId: parent }),
    name: line(name, MAX_TEXT),
    kind,
    startTimeUnixNano: nanoseconds(from),
    endTimeUnixNano: nanoseconds(Math.max(from, to)),
    attributes: attributesOf(attributes),
    ...(error !== undefined && { status: { code: ERROR, message: line(error, MAX_TEXT) } }),
  };
}

/** A number of this size is not exact. */
function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}

function attributesOf(attributes: Attributes): object[] {
  return Object.entries(attributes).flatMap(([key, value]) => {
    if (value === undefined || value === '') return [];
    return [
      {
        key,
        value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: line(value, MAX_TEXT) },
      },
    ];
  });
}
