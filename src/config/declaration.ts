/** A variable of the compose files as `env:` declares it, and whether a value fits. */

import { runInNewContext } from 'node:vm';
export const VARIABLE_TYPES = ['string', 'integer', 'number', 'boolean', 'enum', 'url'] as const;
export type VariableType = (typeof VARIABLE_TYPES)[number];

export interface Declaration {
  name: string;
  type: VariableType;
  required: boolean;
  default?: string;
  min?: number;
  max?: number;
  /** Matches the value as a whole. */
  pattern?: RegExp;
  /** Of an enum. */
  values?: readonly string[];
  /** `config/deploy.yml:12` */
  place: string;
}

type Rule = Pick<Declaration, 'type' | 'min' | 'max' | 'pattern' | 'values'>;

const MAX_SHOWN_VALUES = 20;

const FORMS: Partial<Record<VariableType, { pattern: RegExp; message: string; example: string }>> = {
  integer: { pattern: /^[-+]?\d+$/, message: 'must be a whole number', example: '10' },
  number: { pattern: /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i, message: 'must be a number', example: '0.5' },
  boolean: {
    pattern: /^(true|false|yes|no|on|off|1|0)$/i,
    message: 'must be true or false (or yes, no, on, off, 1, 0)',
    example: 'true',
  },
  url: {
    pattern: /^[a-z][a-z0-9+.-]*:\/\/\S+$/i,
    message: 'must be an address with its scheme',
    example: 'https://example.com',
  },
};

/** What is wrong with a value, continuing "NAME "; never any part of the value. Undefined: it fits. */
export function faultOfValue(rule: Rule, value: string): string | undefined {
  const { type, min, max, pattern, values = [] } = rule;
  const form = FORMS[type];
  const isWrong = form !== undefined && !form.pattern.test(value);
  // Of other schemes, such as several hosts of one database, only programs know the form.
  if (isWrong || (type === 'url' && /^https?:/i.test(value) && !URL.canParse(value))) return form?.message;
  if (type === 'enum' && !values.includes(value)) return `must be one of ${listed(values)}`;
  if (type === 'integer' || type === 'number') {
    if (min !== undefined && Number(value) < min) return `must be at least ${min}`;
    if (max !== undefined && Number(value) > max) return `must be at most ${max}`;
  }
  if (pattern !== undefined) return mismatch(pattern, value);
  return undefined;
}

/** A value that fits, for remedies. */
export function exampleOf({ type, min, max, values, default: fallback }: Declaration): string {
  if (fallback !== undefined) return fallback;
  if (type === 'integer' || type === 'number') return String(min ?? max ?? FORMS[type]?.example);
  return values?.[0] ?? FORMS[type]?.example ?? 'VALUE';
}

function listed(values: readonly string[]): string {
  const more = values.length - MAX_SHOWN_VALUES;
  return values.slice(0, MAX_SHOWN_VALUES).join(', ') + (more > 0 ? ` or ${more} more` : '');
}

/** Some patterns take for ever: `(a+)+$`. */
const PATTERN_MS = 1_000;

function mismatch(pattern: RegExp, value: string): string | undefined {
  try {
    const matches: unknown = runInNewContext('pattern.test(value)', { pattern, value }, { timeout: PATTERN_MS });
    return matches === true ? undefined : 'does not match its pattern';
  } catch {
    return `cannot be compared with its pattern within ${PATTERN_MS / 1_000} s: write it without repetitions inside of repetitions`;
  }
}
