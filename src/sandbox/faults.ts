/** Faults of the API that can be switched on and off while the sandbox runs. */

/** Which calls a fault meets. What is absent matches every call. */
export interface FaultTrigger {
  method?: string;
  /** A regular expression that is searched in the path: `/load_balancers/.*\/droplets$`. */
  path?: string;
  /** The first of the matching calls that it meets, counted from 1 (default 1). */
  nth?: number;
  /** How many calls it meets: 1 when `nth` is given, else all until it is removed. */
  count?: number;
}

/**
 * What happens to the call:
 * `drop` closes the connection without an answer, nothing applied; `lose-reply` applies, then closes it;
 * `hang` never answers, nothing applied; `withhold-reply` applies, then never answers;
 * `html` is a proxy's page with status 200;
 * a status is answered instead of (or, with `applied`, after) doing what was asked;
 * a delay lets the call go on later.
 */
export type FaultEffect =
  | 'drop'
  | 'lose-reply'
  | 'hang'
  | 'withhold-reply'
  | 'html'
  | { status: number; body?: unknown; headers?: Record<string, string>; applied?: boolean }
  | { delayMs: number };

export interface FaultRule {
  on: FaultTrigger;
  do: FaultEffect;
}

export interface FaultState extends FaultRule {
  id: number;
  /** Matching calls seen since it was switched on. */
  seen: number;
  /** Calls it met. */
  met: number;
}

/** What a call has to suffer: delays add up; of the other effects the one switched on first. */
export interface Verdict {
  delayMs: number;
  effect?: Exclude<FaultEffect, { delayMs: number }>;
}

/** Where faults of droplets (refused connections, failing pulls …) are switched: the droplets know their own kinds. */
export interface DropletFaultSwitch {
  /** Rejects with an Error that says what is wrong with the droplet's name or the fault. */
  set(droplet: string, fault: Record<string, unknown>): Promise<void>;
  clear(): Promise<void>;
  list(): unknown;
}

const NAMED_EFFECTS = ['drop', 'lose-reply', 'hang', 'withhold-reply', 'html'] as const;

export class Faults {
  readonly #active: FaultState[] = [];
  #nextId = 1;

  add(rule: FaultRule): FaultState {
    const fault = { ...rule, id: this.#nextId++, seen: 0, met: 0 };
    this.#active.push(fault);
    return fault;
  }

  list(): FaultState[] {
    return this.#active.map((fault) => ({ ...fault }));
  }

  /** Without an id, all of them. */
  remove(id?: number): void {
    const kept = id === undefined ? [] : this.#active.filter((fault) => fault.id !== id);
    this.#active.splice(0, this.#active.length, ...kept);
  }

  /** Counts the call and says what becomes of it. */
  judge(method: string, path: string): Verdict {
    const verdict: Verdict = { delayMs: 0 };
    for (const fault of this.#active) {
      if (!matches(fault.on, method, path)) continue;
      fault.seen += 1;
      if (!isDue(fault)) continue;
      const effect = fault.do;
      if (typeof effect === 'object' && 'delayMs' in effect) verdict.delayMs += effect.delayMs;
      else if (verdict.effect === undefined) verdict.effect = effect;
      else continue;
      fault.met += 1;
    }
    return verdict;
  }
}

function matches(on: FaultTrigger, method: string, path: string): boolean {
  if (on.method !== undefined && on.method.toUpperCase() !== method) return false;
  return on.path === undefined || new RegExp(on.path).test(path);
}

function isDue(fault: FaultState): boolean {
  const { nth, count = nth === undefined ? Number.POSITIVE_INFINITY : 1 } = fault.on;
  return fault.seen >= (nth ?? 1) && fault.met < count;
}

/** A rule as it came over the control endpoint. Throws an Error that names what is wrong. */
export function parseFaultRule(value: unknown): FaultRule {
  const { on = {}, do: effect } = asObject(value, 'a fault');
  return { on: parseTrigger(asObject(on, 'on')), do: parseEffect(effect) };
}

function parseTrigger(on: Record<string, unknown>): FaultTrigger {
  for (const [key, value] of Object.entries(on)) {
    if ((key === 'method' || key === 'path') && typeof value === 'string') continue;
    if ((key === 'nth' || key === 'count') && Number.isInteger(value) && Number(value) >= 1) continue;
    throw new Error(`on.${key}: on takes method and path (texts), nth and count (1 or more)`);
  }
  const trigger = on as FaultTrigger;
  if (trigger.path !== undefined) new RegExp(trigger.path);
  return trigger;
}

function parseEffect(effect: unknown): FaultEffect {
  const named = NAMED_EFFECTS.find((name) => name === effect);
  if (named !== undefined) return named;
  const object = typeof effect === 'object' && effect !== null ? (effect as Record<string, unknown>) : {};
  if (isWholeNumber(object.delayMs)) return { delayMs: object.delayMs };
  if (isWholeNumber(object.status)) return object as { status: number };
  throw new Error(`do: use ${NAMED_EFFECTS.join(', ')}, {"status": 503} or {"delayMs": 1000}`);
}

export function asObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name} must be an object`);
  return value as Record<string, unknown>;
}

function isWholeNumber(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0;
}
