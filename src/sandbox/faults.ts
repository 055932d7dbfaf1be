/** Faults of the API, which can be added and removed while the sandbox runs. */
import { z } from 'zod';

const isRegExp = (text: string) => {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
};

const faultRule = z.strictObject({
  /** The calls that it applies to. What is absent matches every call. */
  on: z
    .strictObject({
      method: z.string().optional(),
      /** Searched in the path: `/load_balancers/.*\/droplets$`. */
      path: z.string().refine(isRegExp, 'invalid regular expression').optional(),
      /** The first matching call that it applies to, counted from 1 (default 1). */
      nth: z.int().min(1).optional(),
      /** How many calls it applies to. Default: 1 with `nth`, else all until it is removed. */
      count: z.int().min(1).optional(),
    })
    .default({}),
  /**
   * `drop` closes the connection without applying the call; `lose-reply` applies it, then closes the connection;
   * `hang` never answers and applies nothing; `withhold-reply` applies the call and never answers;
   * `html` answers like a proxy: an HTML page with status 200;
   * a status is answered instead of (with `applied`: after) applying the call;
   * a delay applies the call later.
   */
  do: z.union([
    z.enum(['drop', 'lose-reply', 'hang', 'withhold-reply', 'html']),
    z.strictObject({
      status: z.int().min(0),
      body: z.unknown().optional(),
      headers: z.record(z.string(), z.string()).optional(),
      applied: z.boolean().optional(),
    }),
    z.strictObject({ delayMs: z.int().min(0) }),
  ]),
});

export type FaultRule = z.infer<typeof faultRule>;
export type FaultEffect = FaultRule['do'];

export interface FaultState extends FaultRule {
  id: number;
  /** Matching calls since it was added. */
  seen: number;
  /** Calls that it was applied to. */
  met: number;
}

/** What happens to a call: delays add up; of the other effects, the one that was added first. */
export interface Verdict {
  delayMs: number;
  effect?: Exclude<FaultEffect, { delayMs: number }>;
}

/** Sets faults of droplets, such as refused connections or failing pulls. */
export interface DropletFaultSwitch {
  /** Rejects with an Error that names the unknown droplet or the invalid fault. */
  set(droplet: string, fault: Record<string, unknown>): Promise<void>;
  clear(): Promise<void>;
  list(): unknown;
}

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

  /** Removes one fault; without an id, all of them. */
  remove(id?: number): void {
    const kept = id === undefined ? [] : this.#active.filter((fault) => fault.id !== id);
    this.#active.splice(0, this.#active.length, ...kept);
  }

  /** Counts the call and returns what happens to it. */
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

function matches(on: FaultRule['on'], method: string, path: string): boolean {
  if (on.method !== undefined && on.method.toUpperCase() !== method) return false;
  return on.path === undefined || new RegExp(on.path).test(path);
}

function isDue(fault: FaultState): boolean {
  const { nth, count = nth === undefined ? Number.POSITIVE_INFINITY : 1 } = fault.on;
  return fault.seen >= (nth ?? 1) && fault.met < count;
}

/** Validates a rule from the control endpoint. Throws an Error that lists what is wrong. */
export function parseFaultRule(value: unknown): FaultRule {
  const parsed = faultRule.safeParse(value);
  if (!parsed.success) throw new Error(`invalid fault: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

export function asObject(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name} must be an object`);
  return value as Record<string, unknown>;
}
