import type { z } from 'zod';
import { type ConfigDocument, isTreeMap, type Path, type Tree, valueAt } from './document.js';
import { type JsonSchema, jsonSchema, pathsOfKey, schemaAt } from './json-schema.js';
import { COMMAND_NAMES } from './names.js';
import type { ProblemList } from './problems.js';
import { asYaml } from './reference.js';
import { type DeployFile, deployFile } from './schema.js';
import { listWords, suggest } from './suggest.js';
import { showPath } from './variables.js';

const ENVIRONMENTS = { production: { load_balancer: '$LOAD_BALANCER' } };

/**
 * Checks the file against the schema: every environment's part of it, as every run should tell of a slip. Gives what is
 * right about it, so that the checks after this one can run too.
 * @param tree the document with variables filled in, as far as they are known
 * @param unknown paths of values that are missing only because a variable is
 */
export function checkDocument(
  document: ConfigDocument,
  tree: Tree,
  unknown: readonly Path[],
  problems: ProblemList,
): Partial<DeployFile> {
  const checked = deployFile.safeParse(tree);
  if (checked.success) return checked.data;

  const schema = jsonSchema();
  const pruned = structuredClone(tree);
  for (const issue of checked.error.issues.flatMap((one) => unfold(one, tree))) {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    const wrong = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
    for (const place of wrong) removeAt(pruned, place);
    // Missing only because a variable is: told already.
    if (unknown.some((known) => showPath(known) === showPath(path))) continue;
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) tellUnknownKey(document, schema, path, key, problems);
    } else {
      tellWrongValue(document, schema, path, issue, problems);
    }
  }
  const right = deployFile.partial().safeParse(pruned);
  return right.success ? withoutUndefined(right.data) : {};
}

/** `compose` is a list or a map: of what is wrong with either, only that of the form that was written. */
function unfold(issue: z.core.$ZodIssue, tree: Tree): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.path.at(-1) !== 'compose') return [issue];
  const path = issue.path.filter((step) => typeof step !== 'symbol');
  const written = valueAt(tree, path);
  const [ofList = [], ofMap = []] = issue.errors;
  const own = Array.isArray(written) ? ofList : isTreeMap(written) ? ofMap : [];
  return own.length === 0 ? [issue] : own.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** Names that the schema takes, but the command line could not. */
export function checkNames(document: ConfigDocument, problems: ProblemList): void {
  const environments = valueAt(document.tree, ['environments']);
  if (!isTreeMap(environments)) return;
  for (const name of Object.keys(environments).filter((one) => COMMAND_NAMES.includes(one))) {
    const path = ['environments', name];
    problems.add(document.place(path), `${showPath(path)} has the name of a command`, 'give it another name');
  }
}

/**
 * Exactly one of load_balancer and droplet, and a pool only with the former; on the file as written, where a missing
 * variable is no matter.
 */
export function checkTargets(document: ConfigDocument, problems: ProblemList): void {
  const environments = valueAt(document.tree, ['environments']);
  if (!isTreeMap(environments)) return;
  for (const [name, section] of Object.entries(environments)) {
    if (!isTreeMap(section)) continue;
    const path = ['environments', name];
    if ('load_balancer' in section && 'droplet' in section) {
      const place = document.place([...path, 'droplet']);
      problems.add(place, `${showPath(path)} has both load_balancer and droplet`, 'keep one of the two');
    }
    if ('autoscale_pool' in section && !('load_balancer' in section)) {
      const place = document.place([...path, 'autoscale_pool']);
      const remedy = 'write `load_balancer: NAME` beside it, or take it out';
      problems.add(
        place,
        `${showPath(path)} has an autoscale_pool, but no load_balancer to put its droplets behind`,
        remedy,
      );
    }
    if (!('load_balancer' in section) && !('droplet' in section)) {
      const remedy = 'write `load_balancer: NAME` or `droplet: ID` below it';
      problems.add(document.place(path), `${showPath(path)} names neither load_balancer nor droplet`, remedy);
    }
  }
}

function tellUnknownKey(
  document: ConfigDocument,
  schema: JsonSchema,
  above: Path,
  key: string,
  problems: ProblemList,
): void {
  const known = Object.keys(schemaAt(schema, above)?.properties ?? {});
  const similar = suggest(key, known);
  const elsewhere = pathsOfKey(schema, key).find((path) => path.length > 1);
  let remedy = `known here: ${listWords(known)}`;
  if (similar !== undefined) remedy = `did you mean ${similar}?`;
  else if (elsewhere !== undefined) remedy = `it belongs under ${showPath(elsewhere.slice(0, -1))}`;
  else if (['droplet', 'load_balancer', 'autoscale_pool'].includes(key)) remedy = 'it belongs under an environment';
  problems.add(document.place([...above, key]), `unknown key ${showPath([...above, key])}`, remedy);
}

function tellWrongValue(
  document: ConfigDocument,
  schema: JsonSchema,
  path: Path,
  issue: z.core.$ZodIssue,
  problems: ProblemList,
): void {
  const place = document.place(path);
  const name = path.length === 0 ? document.label : showPath(path);
  const written = valueAt(document.tree, path);
  const key = path.findLast((step) => typeof step === 'string') ?? '';
  const example = path.length === 1 && key === 'environments' ? ENVIRONMENTS : schemaAt(schema, path)?.examples?.[0];
  const forExample = example === undefined ? 'see the configuration reference' : `write \`${key}: ${asYaml(example)}\``;

  if (written === undefined) problems.add(place, `${name} is missing`, forExample);
  else if (written === null) problems.add(place, `${name} is empty`, `${forExample}, or remove the line`);
  else problems.add(place, `${name} ${reasonOf(issue)}`, remedyFor(written, issue.message) ?? forExample);
}

/** Our own words, also for a wrong name of an environment, where zod puts them one level down. */
function reasonOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

/** The remedy for what the value itself gives away. */
function remedyFor(written: Tree, reason: string): string | undefined {
  if (typeof written === 'number' && reason.includes('duration')) return `write \`${written}s\``;
  if (typeof written === 'number' && reason.includes('quotes')) return 'put quotes around it';
  return undefined;
}

function removeAt(tree: Tree, path: Path): void {
  // From a list goes the whole list: what is left of it would be another setting.
  const inList = path.findIndex((step) => typeof step === 'number');
  const target = inList === -1 ? path : path.slice(0, inList);
  const key = target.at(-1);
  const above = valueAt(tree, target.slice(0, -1));
  if (isTreeMap(above) && typeof key === 'string') delete above[key];
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const pairs = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(pairs) as { [K in keyof T]: Exclude<T[K], undefined> };
}
