import type { PartialService } from './model.js';

type Raw = Record<string, unknown>;

/** Values that a later file replaces as a whole. */
const REPLACED = new Set(['command', 'entrypoint', 'healthcheck.test']);

/**
 * Puts a later compose file's service over an earlier one's: mappings are merged, lists appended (what names the same
 * port or the same mount point is replaced), all else replaced.
 */
export function mergeServices(base: PartialService, over: PartialService): PartialService {
  return mergeMaps(base as Raw, over as Raw, '') as PartialService;
}

export function mergeMaps(base: Raw, over: Raw, at: string): Raw {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    merged[key] = key in base ? mergeValues(base[key], value, at === '' ? key : `${at}.${key}`) : value;
  }
  return merged;
}

function mergeValues(base: unknown, over: unknown, at: string): unknown {
  if (REPLACED.has(at)) return over;
  if (Array.isArray(base) && Array.isArray(over)) return appendTo(base, over);
  if (isMap(base) && isMap(over)) return mergeMaps(base, over, at);
  return over;
}

function appendTo(base: unknown[], over: unknown[]): unknown[] {
  const byIdentity = new Map<string, unknown>();
  for (const entry of [...base, ...over]) byIdentity.set(identity(entry), entry);
  return [...byIdentity.values()];
}

/** What makes two list entries the same: a mount point, a port, else the whole entry. */
function identity(entry: unknown): string {
  if (!isMap(entry)) return JSON.stringify(entry);
  const { type, target, published, host_ip, protocol } = entry;
  if (type !== undefined) return JSON.stringify(target);
  return target !== undefined ? JSON.stringify([target, published, host_ip, protocol]) : JSON.stringify(entry);
}

function isMap(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
