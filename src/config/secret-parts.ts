/** Parts of a secret value that are secrets by themselves: a program may show only one of them. */

interface Part {
  /** Decides whether a plain value is a secret: see `isHarmless`. */
  name: string;
  value: string;
}

/** `user:password@`, after `//` or at the beginning of what is no URL: to the last @ of the word, and to the first. */
const BEFORE = /(?:\/\/|^(?![a-z][\w+.:-]*:\/\/))/;
const LOGINS = [/([^\s:@/]*):(\S+)@/, /([^\s:@/]*):([^\s@]+)@/].map(
  (login) => new RegExp(BEFORE.source + login.source, 'gi'),
);
/** A user without a password is a token; not at the beginning, where it is a mail address. */
const TOKEN = /\/\/([^\s:@/]+)@/g;
/** `password=…`, in a query or in a list of settings. */
const ASSIGNMENTS = /(?:^|[?&;,\s])([\w.-]+)=([^&;,\s]+)/g;

/** Longer values have no such parts, and the search for them would take long. */
const MAX_LENGTH = 4096;

export function partsOf(name: string, value: string): Part[] {
  if (value.length > MAX_LENGTH) return partsOfJson(name, value);
  const found = [...partsOfLogins(value), ...partsOfAssignments(value), ...partsOfJson(name, value)];
  return found.flatMap((part) => [part, { ...part, value: decoded(part.value) }]);
}

function partsOfLogins(value: string): Part[] {
  const tokens = [...value.matchAll(TOKEN)].map(([, token = '']) => ({ name: 'TOKEN', value: token }));
  const logins = LOGINS.flatMap((pattern) => [...value.matchAll(pattern)]);
  return logins
    .flatMap(([, user = '', password = '']) => [
      { name: 'USER', value: user },
      { name: 'PASSWORD', value: password },
    ])
    .concat(tokens);
}

function partsOfAssignments(value: string): Part[] {
  return [...value.matchAll(ASSIGNMENTS)].map(([, name = '', part = '']) => ({ name, value: part }));
}

function partsOfJson(name: string, value: string): Part[] {
  if (!/^\s*[[{]/.test(value)) return [];
  const parts: Part[] = [];
  const collect = (key: string, item: unknown) => {
    if (typeof item === 'string') parts.push({ name: key, value: item });
    else if (typeof item === 'object' && item !== null) {
      for (const [inner, below] of Object.entries(item)) collect(Array.isArray(item) ? key : inner, below);
    }
  };
  try {
    collect(name, JSON.parse(value));
  } catch {
    // Text that only begins like JSON, or is nested too deeply.
  }
  return parts;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
