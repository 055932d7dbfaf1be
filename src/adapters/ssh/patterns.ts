export interface PatternOptions {
  /** Host names have no case; the arguments of `Host` in an ssh configuration do. */
  matchCase?: boolean;
}

/**
 * OpenSSH's pattern lists (ssh_config(5), PATTERNS): `*`, `?` and a leading `!`; one negated match refuses the whole
 * list. `texts` are the names of one host: any of them may match.
 */
export function matchesPatterns(
  patterns: readonly string[],
  texts: readonly string[],
  { matchCase = false }: PatternOptions = {},
): boolean {
  const fold = (text: string) => (matchCase ? text : text.toLowerCase());
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    const wanted = fold(negated ? pattern.slice(1) : pattern);
    if (!texts.some((text) => matchesPattern(wanted, fold(text)))) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** In linear time, whatever the pattern: a regular expression of many stars would not be. */
function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let next = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (pattern[next] === '*') {
      star = next++;
      resume = at;
    } else if (next < pattern.length && (pattern[next] === '?' || pattern[next] === text[at])) {
      next++;
      at++;
    } else if (star >= 0) {
      next = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[next] === '*') next++;
  return next === pattern.length;
}
