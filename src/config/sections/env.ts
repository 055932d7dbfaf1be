import { z } from 'zod';
import { type Declaration, faultOfValue, VARIABLE_TYPES, type VariableType } from '../declaration.js';
import type { SectionContext } from '../section.js';
import { defineSection } from '../section.js';
import { anyText, bool, map, text } from '../values.js';
import { faultOfVariableName, VARIABLE_NAME, VARIABLE_NAME_RULE } from '../variable-names.js';

const PLAIN = 'must be text, a number, true or false';
const plain = z.union([z.string(), z.number(), z.boolean()], { error: PLAIN });
const limit = () => z.number({ error: 'must be a number' });

const declaration = map(
  {
    type: z.enum(VARIABLE_TYPES, { error: `must be one of ${VARIABLE_TYPES.join(', ')}` }),
    required: bool(),
    default: plain,
    min: limit(),
    max: limit(),
    pattern: anyText('must be a regular expression'),
    values: z.array(plain, { error: 'must be a list of values' }).min(1, { error: 'must be a list of values' }),
  },
  'must be a map, such as { type: integer, required: true }',
);

type Written = z.output<typeof declaration>;

/** Keys that only some types have. */
const ONLY_FOR: [key: 'min' | 'max' | 'pattern' | 'values', types: VariableType[], remedy: string][] = [
  ['min', ['integer', 'number'], 'write `type: integer` or `type: number`, or remove it'],
  ['max', ['integer', 'number'], 'write `type: integer` or `type: number`, or remove it'],
  ['pattern', ['string', 'url'], 'write `type: string` or `type: url`, or remove it'],
  ['values', ['enum'], 'write `type: enum`, or remove it'],
];

/** Variables of the compose files: what is declared here is checked in the release's env files. */
export const env = defineSection({
  neededFor: 'release',
  literal: [['env', '*', 'pattern']],
  keys: {
    env: z.record(text(VARIABLE_NAME_RULE, VARIABLE_NAME), declaration, { error: 'must be a map of variables' }).meta({
      description:
        'Variables of the compose files, checked in the env files before anything is contacted: `type` (string, integer, number, boolean, enum, url), `required`, `default`, `min` and `max` for numbers, `pattern` (a regular expression for the whole value) for string and url, `values` for enum.',
      examples: [
        { POOL: { type: 'integer', min: 1, default: 5 }, MODE: { type: 'enum', values: ['a', 'b'], default: 'a' } },
      ],
    }),
  },
  resolve({ env: written = {} }, context) {
    if (!context.isNeeded) return {};
    const { release } = context;
    release.declarations.push(...Object.entries(written).map(([name, one]) => toDeclaration(name, one, context)));
    for (const { role, written: given } of context.ofRoles('env')) {
      const own = given as Record<string, Written>;
      const names = [...new Set([...Object.keys(written), ...Object.keys(own)])];
      const declarations = names.map((name) => {
        const base = own[name] === undefined ? [] : ['roles', role];
        return toDeclaration(name, { ...written[name], ...own[name] }, context, base);
      });
      release.roles.set(role, { files: [], ...release.roles.get(role), declarations });
    }
    return {};
  },
});

/** @param base where the map of variables is written: `roles`, and a role's name */
function toDeclaration(
  name: string,
  written: Written,
  context: SectionContext,
  base: readonly string[] = [],
): Declaration {
  const { type = 'string', required = false, min, max } = written;
  const path = [...base, 'env', name];
  const tell = (keys: string[], message: string, remedy: string) =>
    context.problems.add(context.place(...path, ...keys), `${[...path, ...keys].join('.')} ${message}`, remedy);

  const fault = faultOfVariableName(name);
  if (fault !== undefined) tell([], fault.message, fault.remedy);
  for (const [key, types, remedy] of ONLY_FOR) {
    if (written[key] !== undefined && !types.includes(type)) tell([key], `is not for type ${type}`, remedy);
  }
  if (type === 'enum' && !context.isWritten('env', name, 'values') && !context.isWritten(...path, 'values')) {
    tell([], 'has no values', 'write `values: [a, b]` below it');
  }
  if (min !== undefined && max !== undefined && min > max) tell(['min'], 'is larger than max', 'exchange the two');

  const values = written.values?.map((value) => plainText(value, type));
  if (values?.includes(undefined)) tell(['values'], 'has a number with a point', 'put quotes around it');
  const rule = { type, min, max, pattern: toPattern(written.pattern, tell), values: values?.filter(isText) };
  const fallback = plainText(written.default, type);
  if (written.default !== undefined) {
    if (fallback === undefined) tell(['default'], 'must be text', 'put quotes around it');
    else {
      const wrong = type === 'enum' && values === undefined ? undefined : faultOfValue(rule, fallback);
      if (wrong !== undefined) tell(['default'], wrong, 'correct it, or remove it');
      else if (required && fallback.trim() === '')
        tell(['default'], 'is blank, and the variable required', 'remove it');
      else if (/[\0\r\n]/.test(fallback)) tell(['default'], 'has more than one line', 'write it in an env file');
    }
  }
  return { name, ...rule, required, default: fallback, place: context.place(...path) };
}

/** Undefined where YAML may have changed what was written: `1.10` is the number 1.1. */
function plainText(value: string | number | boolean | undefined, type: VariableType): string | undefined {
  if (typeof value !== 'number' || type === 'integer' || type === 'number') return value?.toString();
  return type === 'enum' && Number.isInteger(value) ? String(value) : undefined;
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}

function toPattern(
  written: string | undefined,
  tell: (keys: string[], message: string, remedy: string) => void,
): RegExp | undefined {
  if (written === undefined) return undefined;
  try {
    return new RegExp(`^(?:${written})$`, 'u');
  } catch {
    tell(
      ['pattern'],
      'is not a valid regular expression',
      'correct it: it is JavaScript, and needs no slashes around it',
    );
    return undefined;
  }
}
