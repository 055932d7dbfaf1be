/** Whether what a file or a package exports is a layer, and whether its functions return what they must. */
import { suggest } from '../config/suggest.js';
import { reasonOf } from '../errors.js';
import { LIFECYCLE_EVENTS } from '../rollout/lifecycle.js';
import type { LayerKind } from './layer.js';

/** Why a layer cannot be used. */
export interface Unusable {
  message: string;
  remedy: string;
}

/** A function of a layer that throws, or returns what it must not. The message continues "layers.NAME ". */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

const EVENTS: readonly string[] = LIFECYCLE_EVENTS;
const KINDS: readonly unknown[] = ['application', 'third-party', 'notifier'] satisfies LayerKind[];

type Check = (value: unknown) => boolean;

const isFunction: Check = (value) => typeof value === 'function';
const isText: Check = (value) => typeof value === 'string';
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText);
const isTime: Check = (value) => typeof value === 'number' && value > 0 && Number.isFinite(value);
const isPriority: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const TIME = 'a number of ms above 0';

interface Part {
  isRight: Check;
  /** What it must be: continues "is not ". */
  wanted: string;
  example: string;
}

/** Of those that may be left out. */
const PARTS: Readonly<Record<string, Part>> = {
  requires: { isRight: isTexts, wanted: 'a list of names of variables', example: "requires: ['STATUSPAGE_TOKEN']" },
  secrets: { isRight: isTexts, wanted: 'a list of keys of its settings', example: "secrets: ['webhook']" },
  timeoutMs: { isRight: (value) => isTime(value) || isFunction(value), wanted: TIME, example: 'timeoutMs: 5_000' },
  priority: { isRight: isPriority, wanted: 'a number', example: 'priority: 50' },
  mayFail: { isRight: (value) => typeof value === 'boolean', wanted: 'true or false', example: 'mayFail: true' },
  confirms: { isRight: isFunction, wanted: 'a function', example: "confirms: () => ['snapshot']" },
  events: { isRight: isFunction, wanted: 'a function', example: "events: () => ['deploy']" },
  services: {
    isRight: isFunction,
    wanted: 'a function',
    example: "services: () => [{ name: 'app', path: ['service'] }]",
  },
  onEvent: { isRight: isFunction, wanted: 'a function', example: 'onEvent: (event) => { … }' },
};

/** Of a handler that is a map. */
const HANDLER_PARTS: Readonly<Record<string, Part>> = {
  priority: PARTS.priority as Part,
  timeoutMs: { isRight: isTime, wanted: TIME, example: 'timeoutMs: 5_000' },
};

/** Why the module's default export is no layer. */
export function faultOf(value: unknown): Unusable | undefined {
  const remedy = 'write `export default defineLayer({ name, kind, config, on })`';
  if (!isMap(value)) return { message: 'exports no layer', remedy };
  const { name, kind, on, config } = value;
  if (typeof name !== 'string') return { message: 'exports a layer without a name', remedy };
  if (!isMap(config) || !isFunction(config.safeParseAsync))
    return wrong('config', 'a zod schema', 'config: z.strictObject({ … })');
  if (!KINDS.includes(kind)) return wrong('kind', 'application, third-party or notifier', "kind: 'third-party'");
  if (!isMap(on)) return { message: 'exports a layer without handlers (on)', remedy };
  return wrongPart(value, PARTS) ?? wrongHandler(on);
}

function wrong(part: string, wanted: string, example: string): Unusable {
  return { message: `exports a layer whose ${part} is not ${wanted}`, remedy: `write \`${example}\`` };
}

function wrongPart(
  value: Record<string, unknown>,
  parts: Readonly<Record<string, Part>>,
  prefix = '',
): Unusable | undefined {
  const found = Object.entries(parts).find(([key, { isRight }]) => value[key] !== undefined && !isRight(value[key]));
  return found && wrong(`${prefix}${found[0]}`, found[1].wanted, found[1].example);
}

function wrongHandler(on: Record<string, unknown>): Unusable | undefined {
  for (const [event, handler] of Object.entries(on)) {
    if (!EVENTS.includes(event)) return unknownEvent(event);
    if (isFunction(handler)) continue;
    const isRight = isMap(handler) && isFunction(handler.run);
    if (!isRight) return wrong(`on.${event}`, 'a function', `async ${event}(payload, context) { … }`);
    const fault = wrongPart(handler, HANDLER_PARTS, `on.${event}.`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function unknownEvent(event: string): Unusable {
  const meant = suggest(event, EVENTS);
  return {
    message: `handles ${event}, which is not an event`,
    remedy: meant === undefined ? `the events are ${EVENTS.join(', ')}` : `did you mean ${meant}?`,
  };
}

/** What its functions must return for its checked settings. */
const ANSWERS = {
  timeoutMs: { isRight: isTime, wanted: TIME },
  confirms: {
    isRight: (value) => Array.isArray(value) && value.every((one) => isText(one) || isConfirmation(one)),
    wanted: 'a list of names',
  },
  events: {
    isRight: (value) => isTexts(value) && (value as string[]).every((one) => EVENTS.includes(one)),
    wanted: 'a list of events',
  },
  services: {
    isRight: (value) =>
      Array.isArray(value) && value.every((one) => isMap(one) && isText(one.name) && isPath(one.path)),
    wanted: 'a list of { name, path }',
  },
} satisfies Record<string, Omit<Part, 'example'>>;

const isConfirmation: Check = (value) =>
  isMap(value) && isText(value.name) && EVENTS.includes(value.on as string) && isTexts(value.commands);

const isPath: Check = (value) =>
  Array.isArray(value) && value.every((step) => typeof step === 'string' || typeof step === 'number');

/** What a function of the layer returns. Throws WrongAnswer. */
export function answerOf<T>(part: keyof typeof ANSWERS, ask: () => T): T {
  let answer: T;
  try {
    answer = ask();
  } catch (error) {
    throw new WrongAnswer(`exports a layer whose ${part} throws: ${reasonOf(error)}`);
  }
  const { isRight, wanted } = ANSWERS[part];
  if (!isRight(answer)) throw new WrongAnswer(`exports a layer whose ${part} does not return ${wanted}`);
  return answer;
}
