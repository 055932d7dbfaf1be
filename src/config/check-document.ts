import type { z } from 'zod';
import { type ConfigDocument, isTreeMap, type Path, showPath, type Tree, valueAt } from './document.js';
import { type DeployFile, fileSchema } from './file-schema.js';

import { realDateLike, timezoneLike } from './freeze.js';
import { itemAt, type JsonSchema, jsonSchema, keysOf, pathsOfKey, schemaAt } from './json-schema.js';

import { COMMAND_NAMES } from './names.js';
import type { ProblemList } from './problems.js';
import { asYaml } from './reference.js';
import type { Section } from './section.js';
import { rangeLike } from './status-range.js';
import { listWords, suggest } from './suggest.js';
import { VARIABLE_NAME_RULE } from './variable-names.js';

const ENVIRONMENTS = { production: { load_balancer: '$LOAD_BALANCER' } };

/**
 * Checks the whole file against the schema: every run reports a slip in any environment.
 * @param tree the document with variables replaced, as far as they are known
 * @param unknown paths of values that are missing only because a variable is
 * @returns what is valid, so that later checks can run too
 */
export function checkDocument(
  document: ConfigDocument,
  sections: readonly Section[],
  { tree, unknown }: { tree: Tree; unknown: readonly Path[] },
  problems: ProblemList,
): DeployFile {
  const schema = fileSchema(sections);
  const checked = schema.safeParse(tree);
  if (checked.success) return checked.data;

  const check = { document, schema: jsonSchema(sections), problems };
  const reported = new Set(unknown.map(showPath));
  const pruned = structuredClone(tree);
  for (const issue of checked.error.issues.flatMap((one) => unfold(one, tree))) {
    const path = plainPath(issue);
    const wrong = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
    for (const place of wrong) removeAt(pruned, place);
    if (reported.has(showPath(path))) continue;
    if (issue.code === 'unrecognized_keys') {
      reportUnknownKeys(check, path, issue.keys);
    } else if (problems.isFull) {
      problems.addUnlisted(1);
    } else {
      reportWrongValue(check, path, issue);
    }
  }
  const right = schema.partial().safeParse(pruned);
  return right.success ? right.data : {};
}

/** Names that the schema passes over, and names of environments that the command line could not take. */
export function checkNames(document: ConfigDocument, problems: ProblemList): void {
  reportProto(document, document.tree, [], problems);
  const environments = valueAt(document.tree, ['environments']);
  if (!isTreeMap(environments)) return;
  for (const name of Object.keys(environments)) {
    const path = ['environments', name];
    if (!COMMAND_NAMES.includes(name)) continue;
    problems.add(document.place(path), `${showPath(path)} has the name of a command`, ANOTHER_NAME);
  }
}

const ANOTHER_NAME = 'give it another name';

/** zod leaves this key out of every map whose keys are free, without a word. */
function reportProto(document: ConfigDocument, value: Tree, path: Path, problems: ProblemList): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const below = [...path, Array.isArray(value) ? Number(key) : key];
    reportProto(document, inner, below, problems);
    if (key !== '__proto__') continue;
    const isEnvironment = path.length === 1 && path[0] === 'environments';
    const message = isEnvironment ? `${showPath(below)} cannot be the name of an environment` : unknownKey(below);
    problems.add(document.place(below), message, ANOTHER_NAME);
  }
}

function unknownKey(path: Path): string {
  return `unknown key ${showPath(path)}`;
}

interface Check {
  document: ConfigDocument;
  schema: JsonSchema;
  problems: ProblemList;
}

function plainPath({ path }: z.core.$ZodIssue): (string | number)[] {
  return path.filter((step) => typeof step !== 'symbol');
}

/** Where a value may be a list or a map: only the issues of the form that was written. */
function unfold(issue: z.core.$ZodIssue, tree: Tree): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const written = valueAt(tree, plainPath(issue));
  if (typeof written !== 'object' || written === null) return [issue];
  // A literal such as `false` is another form, too.
  const isOther = (first: z.core.$ZodIssue | undefined) =>
    first?.path.length === 0 && (OTHER_FORM.has(first.code) || first.code === 'invalid_value');
  const ofThatForm = issue.errors.filter(([first]) => !isOther(first));
  const [own, ...others] = ofThatForm;
  if (own === undefined || others.length > 0) return [issue];
  return own.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** What zod reports of a list where a map or a plain value was expected, and the like. */
const OTHER_FORM = new Set<string>(['invalid_type', 'invalid_union']);

function reportUnknownKeys(check: Check, above: Path, keys: readonly string[]): void {
  for (const [index, key] of keys.entries()) {
    if (check.problems.isFull) {
      check.problems.addUnlisted(keys.length - index);
      return;
    }
    reportUnknownKey(check, above, key);
  }
}

/** Too short for a likeness to mean anything: `tz` is as close to `to`. */
const SHORT_FOR: Readonly<Record<string, string | undefined>> = { tz: 'timezone' };

function reportUnknownKey({ document, schema, problems }: Check, above: Path, key: string): void {
  const known = keysOf(itemAt(schema, above));
  const meant = SHORT_FOR[key];
  const similar = meant !== undefined && known.includes(meant) ? meant : suggest(key, known);
  const elsewhere = pathsOfKey(schema, key).find((path) => path.length > 1);
  const environment = schemaAt(schema, ['environments', 'NAME'])?.properties ?? {};
  let remedy = `known here: ${listWords(known)}`;
  if (similar !== undefined) remedy = `did you mean ${similar}?`;
  else if (elsewhere !== undefined) remedy = `it belongs under ${showPath(elsewhere.slice(0, -1))}`;
  else if (Object.hasOwn(environment, key)) remedy = 'it belongs under an environment';
  problems.add(document.place([...above, key]), unknownKey([...above, key]), remedy);
}

function reportWrongValue({ document, schema, problems }: Check, path: Path, issue: z.core.$ZodIssue): void {
  const place = document.place(path);
  const name = path.length === 0 ? document.label : showPath(path);
  const written = valueAt(document.tree, path);
  // Of an entry of a list, the example is that of the whole.
  const key = path.findLast((step) => typeof step === 'string') ?? '';
  const example = path.length === 1 && key === 'environments' ? ENVIRONMENTS : exampleAt(schema, path);
  const forExample = example === undefined ? 'see the configuration reference' : `write \`${key}: ${asYaml(example)}\``;

  if (written === undefined) problems.add(place, `${name} is missing`, forExample);
  else if (written === null) problems.add(place, `${name} is empty`, `${forExample}, or remove the line`);
  else if (issue.code === 'invalid_key')
    problems.add(place, `${name} ${messageOf(issue)}`, nameFor(key, messageOf(issue)) ?? forExample);
  else {
    const own = { key: typeof path.at(-1) === 'number' ? undefined : key, written };
    problems.add(place, `${name} ${messageOf(issue)}`, remedyFor(own, messageOf(issue)) ?? forExample);
  }
}

/** Its own example, or its part in the example of what encloses it. */
function exampleAt(schema: JsonSchema, path: Path): unknown {
  const inList = path.findIndex((step) => typeof step === 'number');
  for (let depth = inList === -1 ? path.length : inList; depth > 0; depth -= 1) {
    const below = path.slice(depth);
    // The last of a list stands for the list.
    while (typeof below.at(-1) === 'number') below.pop();
    for (const example of schemaAt(schema, path.slice(0, depth))?.examples ?? []) {
      const part = partOf(example, below);
      if (part !== undefined) return part;
    }
  }
  return inList === -1 ? madeOf(schemaAt(schema, path)) : undefined;
}

/** A map of more keys than this would be a wall of text. */
const MAX_KEYS_SHOWN = 4;

/** Of a small map without an example: what its keys have. */
function madeOf(schema: JsonSchema | undefined): object | undefined {
  const keys = Object.entries(schema?.properties ?? {});
  const examples = keys.flatMap(([key, { examples = [] }]) => (examples[0] === undefined ? [] : [[key, examples[0]]]));
  return examples.length === 0 || keys.length > MAX_KEYS_SHOWN ? undefined : Object.fromEntries(examples);
}

/** Of a list, the first that has such a part. */
function partOf(value: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined) return value;
  if (Array.isArray(value)) {
    return value
      .map((one) => partOf(one, typeof step === 'number' ? rest : [step, ...rest]))
      .find((one) => one !== undefined);
  }
  const isMap = typeof value === 'object' && value !== null && Object.hasOwn(value, step);
  return isMap ? partOf((value as Record<string, unknown>)[step], rest) : undefined;
}

/** For a wrong name of an environment, zod puts our message one level down. */
function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

/** `Wéb 1` as a name that is allowed wherever names are: `web-1`; of a variable `WEB_1`. */
function nameFor(key: string, message: string): string | undefined {
  const words =
    key
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .match(/[A-Za-z0-9]+/g) ?? [];
  const plain = message === VARIABLE_NAME_RULE ? words.join('_').toUpperCase() : words.join('-').toLowerCase();
  return /^[A-Za-z]/.test(plain) && plain !== key ? `write \`${plain}:\`` : undefined;
}

/**
 * A remedy that follows from the value itself.
 * @param value.key absent: it is an entry of a list
 */
function remedyFor({ key, written }: { key: string | undefined; written: Tree }, message: string): string | undefined {
  if (typeof written === 'number' && message.includes('duration')) return `write \`${written}s\``;
  if (typeof written === 'number' && message.includes('quotes')) return 'put quotes around it';
  if (typeof written !== 'string') return undefined;
  if (message.includes('date that does not exist')) return like(key, realDateLike(written) ?? SOME_DATE);
  if (message.includes('HTTP status')) return like(key, rangeLike(written));
  if (message.includes('time zone')) return like(key, timezoneLike(written));
  // shop.example.com/healthz
  const lacksScheme = message.includes('https://') && /^[\w-]+(\.[\w-]+)+(:\d+)?(\/[^\s@]*)?$/.test(written);
  return lacksScheme ? like(key, `https://${written}`) : undefined;
}

/** Where not even its month exists. */
const SOME_DATE = '2026-12-23 18:00';

function like(key: string | undefined, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  return `write \`${key === undefined ? '' : `${key}: `}${asYaml(value)}\``;
}

function removeAt(tree: Tree, path: Path): void {
  // Of a list, all is removed: the rest of it would be another setting.
  const inList = path.findIndex((step) => typeof step === 'number');
  const target = inList === -1 ? path : path.slice(0, inList);
  const key = target.at(-1);
  const above = valueAt(tree, target.slice(0, -1));
  if (isTreeMap(above) && typeof key === 'string') delete above[key];
}
