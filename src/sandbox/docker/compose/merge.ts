type Raw = Record<string, unknown>;

/**
 * Merges a later compose file's mapping into an earlier one's: mappings are merged, lists appended (an entry for the
 * same port or mount point replaces the earlier one), everything else is replaced, and so are healthcheck commands.
 */
export function mergeMaps(base: Raw, over: Raw, place: string): Raw {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    merged[key] = key in base ? mergeValues(base[key], value, `${place}.${key}`) : value;
  }
  return merged;
}

function mergeValues(base: unknown, over: unknown, place: string): unknown {
  if (place.endsWith('.healthcheck.test')) return over;
  if (Array.isArray(base) && Array.isArray(over)) {
    return [...new Map([...base, ...over].map((entry) => [identity(entry), entry])).values()];
  }
  return isMap(base) && isMap(over) ? mergeMaps(base, over, place) : over;
}

/** What makes two list entries the same: a mount point, a port, else the whole entry. */
function identity(entry: unknown): string {
  if (!isMap(entry)) return JSON.stringify(entry);
  const { type, target, published, host_ip } = entry;
  if (type !== undefined) return JSON.stringify(target);
  return target !== undefined ? JSON.stringify([target, published, host_ip]) : JSON.stringify(entry);
}

function isMap(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
