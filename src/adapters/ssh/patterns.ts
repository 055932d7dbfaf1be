/**
 * OpenSSH's pattern lists (ssh_config(5) PATTERNS): `*`, `?` and a leading `!`; one negated match refuses the whole
 * list. Host names have no case. `texts` are other names of one host: any of them may match.
 */
export function matchesPatterns(patterns: readonly string[], texts: readonly string[]): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    const expression = wildcard(negated ? pattern.slice(1) : pattern);
    if (!texts.some((text) => expression.test(text))) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i');
}
