/** Reads the layers of config/deploy.yml: loads each, checks its settings and variables, and makes its handlers. */

import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { showPath } from '../config/document.js';
import { inputSchema, itemAt, keysOf } from '../config/json-schema.js';
import type { Secret } from '../config/secret.js';
import type { ReadLayers, WrittenLayer } from '../config/section.js';
import { listWords, suggest } from '../config/suggest.js';
import { reasonOf } from '../errors.js';
import type { Clock } from '../ports.js';
import type { Handler } from '../rollout/lifecycle.js';
import { answerOf, WrongAnswer } from './definition.js';
import { handlersOf } from './handlers.js';
import { documentOf } from './index.js';
import type { Layer, ServiceName } from './layer.js';
import { inTime, isBuiltIn, isFileName, loadLayer } from './load-layer.js';

type About = Parameters<ReadLayers>[1];

/** @param secretOf boxes a value that must not be shown */
export function layerReader(secretOf: (value: string) => Secret, clock: Clock): ReadLayers {
  return async (written, about) => {
    const handlers: Handler[] = [];
    const seen = new Map<string, string>();
    for (const one of written) {
      const path = isFileName(one.name) ? realPath(resolve(about.root, one.name)) : one.name;
      const first = seen.get(path);
      seen.set(path, one.name);
      if (first === undefined) handlers.push(...(await readLayer(one, about, secretOf, clock)));
      else about.problems.add(one.place(), `layers.${one.name} is the layer ${first} once more`, 'remove one of them');
    }
    return handlers;
  };
}

/** As it is, where there is no such file: that is reported later. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

async function readLayer(
  { name, settings, place, isWritten }: WrittenLayer,
  { root, variables, problems, hide, release }: About,
  secretOf: (value: string) => Secret,
  clock: Clock,
): Promise<Handler[]> {
  const layer = await loadLayer(name, root, clock);
  if ('message' in layer) {
    problems.add(place(), `layers.${name} ${layer.message}`, layer.remedy);
    return [];
  }
  for (const key of layer.secrets ?? []) {
    for (const value of textsIn((settings as Record<string, unknown> | undefined)?.[key])) hide(secretOf(value));
  }
  const env: Record<string, string> = {};
  for (const variable of layer.requires ?? []) {
    const value = variables.get(variable);
    if (value) {
      env[variable] = value;
      hide(secretOf(value));
    } else {
      problems.add(place(), `$${variable} is not set (the layer ${layer.name} needs it)`, variables.howToSet(variable));
    }
  }
  let checked: Awaited<ReturnType<typeof layer.config.safeParseAsync>>;
  try {
    checked = await inTime(clock, async () => await layer.config.safeParseAsync(settings));
    if (checked.success) {
      const { data } = checked;
      for (const { name: service, path, mayBeNew = false, isOneOff = false, isWorker } of servicesOf(layer, data)) {
        const shown = showPath(['layers', name, ...path]);
        release.services.push({ name: service, path: shown, place: place(...path), mayBeNew, isOneOff, isWorker });
      }
      return handlersOf(layer, data, env);
    }
    const issues: unknown = checked.error?.issues;
    const isIssue = (one: unknown) => typeof one === 'object' && one !== null && Array.isArray((one as Issue).path);
    if (!Array.isArray(issues) || issues.length === 0 || !issues.every(isIssue))
      throw new WrongAnswer('exports a layer whose config is not a zod schema');
  } catch (error) {
    if (isBuiltIn(name)) throw error;
    const fault =
      error instanceof WrongAnswer ? error.message : `exports a layer whose config fails: ${reasonOf(error)}`;
    problems.add(place(), `layers.${name} ${fault}`, `correct ${name}`);
    return [];
  }
  for (const issue of checked.error.issues) {
    for (const { path, message, isUnknown } of problemsOf(issue, settings)) {
      // A variable of it is not set, which is reported already.
      if (path.length > 0 && valueAt(settings, path) === undefined && isWritten(...path)) continue;
      const words = [`layers.${name}`, ...path].join('.');
      const remedy = (isUnknown && meantBy(layer, path)) || `see ${documentOf(name) ?? `config in ${name}`}`;
      problems.add(place(...path), `${words} ${message}`, remedy);
    }
  }
  return [];
}

/** What to write instead of an unknown key; undefined where the layer's schema does not tell. */
function meantBy({ config }: Layer, path: readonly (string | number)[]): string | undefined {
  const known = keysOf(itemAt(inputSchema(config), path.slice(0, -1)));
  if (known.length === 0) return undefined;
  const similar = suggest(String(path.at(-1)), known);
  return similar === undefined ? `known here: ${listWords(known)}` : `did you mean ${similar}?`;
}

function servicesOf({ services }: Layer, config: unknown): readonly ServiceName[] {
  return services === undefined ? [] : answerOf('services', () => services(config));
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<string | number, unknown> | undefined)?.[step], value);
}
/** Shorter values of a map are words, such as the name of a data set among the headers of a request. */
const SHORTEST_IN_MAP = 16;
const SHORTEST_WITH_DIGITS = 8;

/** A value, or those of a map. What follows a blank in one of them is a secret by itself: `Bearer TOKEN`. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (typeof value === 'number') return [String(value)];
  if (typeof value !== 'object' || value === null) return [];
  const texts = Object.values(value).flatMap(textsIn);
  const isLong = (text: string) => text.length >= (/\d/.test(text) ? SHORTEST_WITH_DIGITS : SHORTEST_IN_MAP);
  return texts.flatMap((text) => [text, ...text.split(' ').slice(1)]).filter(isLong);
}

type Issue = { path: PropertyKey[]; code: string; message: string; keys?: string[] };

function problemsOf(
  given: unknown,
  settings: unknown,
): { path: (string | number)[]; message: string; isUnknown?: boolean }[] {
  const issue = given as Issue;
  const path = issue.path.filter((step) => typeof step !== 'symbol') as (string | number)[];
  if (issue.keys !== undefined)
    return issue.keys.map((key) => ({ path: [...path, key], message: 'is an unknown key', isUnknown: true }));
  if (path.length > 0 && valueAt(settings, path) === undefined) return [{ path, message: 'is missing' }];
  const continues = /^(must|is|has|needs) /.test(issue.message);
  return [{ path, message: continues ? issue.message : `is not valid: ${issue.message}` }];
}
