/** What `init` has to know, and how it is written on a command line. Each reader returns the answer, or what is wrong with the text. */
import type { z } from 'zod';
import { faultOfEntry, faultOfListedName, isEnvFile } from '../config/file-names.js';
import { APP_NAME, APP_NAME_RULE } from '../config/names.js';
import type { Secret } from '../config/secret.js';
import { registry } from '../config/sections/registry.js';
import { target } from '../config/sections/target.js';
import { VARIABLE_NAME } from '../config/variable-names.js';
import type { CiName } from './ci.js';

export const ENVIRONMENTS = ['staging', 'production'] as const;
export type EnvironmentName = (typeof ENVIRONMENTS)[number];

/** Where droplets are, by the keys of config/deploy.yml. A text `$NAME` is a variable. */
export type TargetAnswer =
  | { readonly load_balancer: string }
  | { readonly droplet: string }
  | { readonly droplets: readonly string[] }
  | { readonly tag: string };

/** `none`: public images. */
export type RegistryAnswer = 'none' | { readonly server: string } | { readonly digitalocean: string };

export interface Answers {
  app: string;
  targets: ReadonlyMap<EnvironmentName, TargetAnswer>;
  compose: readonly string[];
  files: readonly string[];
  registry: RegistryAnswer;
  ci?: CiName;
  /** To be written into config/.env. */
  token?: Secret;
}

/** Of an answer: what is wrong, and one that would be taken. */
export interface Fault {
  readonly expected: string;
  readonly example: string;
}

export type Read<T> = { readonly answer: T; readonly fault?: undefined } | { readonly fault: Fault };

const TARGET: Fault = {
  expected: 'load_balancer=NAME, droplet=ID, droplets=ID,ID or tag=NAME',
  example: 'load_balancer=web',
};

export function readTarget(text: string): Read<TargetAnswer> {
  const { key, value } = split(text);
  switch (key) {
    case 'load_balancer':
      return checked(value, target.keys.load_balancer, `${key}=web`, { load_balancer: value });
    case 'droplet':
      return checked(value, target.keys.droplet, `${key}=3164494`, { droplet: value });
    case 'tag':
      return checked(value, target.keys.tag, `${key}=workers`, { tag: value });
    case 'droplets': {
      const droplets = value.split(',').map((one) => one.trim());
      const wrong = droplets.map((one) => checked([one], target.keys.droplets, `${key}=web-1,web-2`, { droplets }));
      return wrong.find(({ fault }) => fault !== undefined) ?? { answer: { droplets } };
    }
    default:
      return { fault: TARGET };
  }
}

export function readRegistry(text: string): Read<RegistryAnswer> {
  if (text === 'none') return { answer: 'none' };
  const { key, value } = split(text);
  const { digitalocean, server } = registry.keys.registry.shape;
  if (key === 'digitalocean') return checked(value, digitalocean, 'digitalocean=acme', { digitalocean: value });
  const isServer =
    text !== 'digitalocean' && /^[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?$/.test(text) && server.safeParse(text).success;
  if (isServer) return { answer: { server: text } };
  return { fault: { expected: 'none, the name of a registry, or digitalocean=NAME', example: 'ghcr.io' } };
}

export function readApp(text: string): Read<string> {
  return APP_NAME.test(text) ? { answer: text } : { fault: { expected: expectedBy(APP_NAME_RULE), example: 'shop' } };
}

/** An entry of `compose:` or `files:`. */
export function readPath(key: 'compose' | 'files', text: string): Read<string> {
  const path = text.replace(/\?$/, '');
  const isNamed = key === 'compose' || isEnvFile(path);
  const fault = path === '' ? EMPTY : (faultOfEntry(path) ?? (isNamed ? faultOfListedName(path) : undefined));
  if (fault === undefined) return { answer: text };
  const example = key === 'compose' ? 'compose.yaml' : 'config/.env.production';
  return { fault: { expected: `paths of files in this folder, and ${path || 'one'} ${fault.message}`, example } };
}

const EMPTY = { message: 'is empty' };

/** `$NAME`, as it is written in config/deploy.yml. */
export function variableIn(text: string): string | undefined {
  return text.startsWith('$') && VARIABLE_NAME.test(text.slice(1)) ? text.slice(1) : undefined;
}

function split(text: string): { key: string; value: string } {
  const at = text.indexOf('=');
  return { key: text.slice(0, Math.max(0, at)), value: text.slice(at + 1).trim() };
}

function checked<T>(value: string | string[], schema: z.ZodType, example: string, answer: T): Read<T> {
  if (variableIn([value].flat()[0] ?? '') !== undefined) return { answer };
  const { error } = schema.safeParse(value);
  const [issue] = error?.issues ?? [];
  if (issue === undefined) return { answer };
  return { fault: { expected: expectedBy(issue.message), example } };
}

/** A rule as it is written in config/deploy.yml's messages, to follow "expected". */
function expectedBy(rule: string): string {
  return rule.replace(/^must be /, '').replace(/^must not /, 'it not to ');
}
