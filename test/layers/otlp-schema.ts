/**
 * ExportTraceServiceRequest as its JSON mapping writes it: collector/trace/v1/trace_service.proto, trace/v1/trace.proto,
 * common/v1/common.proto and resource/v1/resource.proto of opentelemetry-proto 1.x. Names are in lowerCamelCase, identifiers
 * in hexadecimal, 64-bit numbers decimal text, enumerations numbers.
 */
const bytes = (count: number) => ({
  type: 'string',
  pattern: `^(?!0{${count * 2}}$)[0-9a-f]{${count * 2}}$`,
});

const int64 = { type: 'string', pattern: '^-?(0|[1-9][0-9]{0,18})$' };
const fixed64 = { type: 'string', pattern: '^[1-9][0-9]{0,19}$' };
const uint32 = { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 };

const message = (properties: object, required: string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});

const anyValue = {
  ...message({
    stringValue: { type: 'string' },
    boolValue: { type: 'boolean' },
    intValue: int64,
    doubleValue: { type: 'number' },
    bytesValue: { type: 'string' },
  }),
  // oneof value
  minProperties: 1,
  maxProperties: 1,
};

const attributes = {
  type: 'array',
  items: message({ key: { type: 'string', minLength: 1 }, value: anyValue }, ['key', 'value']),
};

const status = message({ message: { type: 'string' }, code: { enum: [0, 1, 2] } });

const span = message(
  {
    traceId: bytes(16),
    spanId: bytes(8),
    traceState: { type: 'string' },
    parentSpanId: bytes(8),
    flags: uint32,
    name: { type: 'string', minLength: 1 },
    kind: { enum: [1, 2, 3, 4, 5] },
    startTimeUnixNano: fixed64,
    endTimeUnixNano: fixed64,
    attributes,
    droppedAttributesCount: uint32,
    events: { type: 'array', maxItems: 0 },
    links: { type: 'array', maxItems: 0 },
    status,
  },
  ['traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano'],
);

const scope = message({ name: { type: 'string' }, version: { type: 'string' }, attributes });

export const EXPORT_TRACE_REQUEST = message(
  {
    resourceSpans: {
      type: 'array',
      items: message({
        resource: message({ attributes, droppedAttributesCount: uint32 }),
        scopeSpans: {
          type: 'array',
          items: message({ scope, spans: { type: 'array', items: span }, schemaUrl: { type: 'string' } }),
        },
        schemaUrl: { type: 'string' },
      }),
    },
  },
  ['resourceSpans'],
);
