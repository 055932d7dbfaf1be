/** A quoted part, an escaped character, or plain text. */
const PART = /'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])|([^\s'"\\]+)/y;

/** Splits a command line as a shell would, without expansions: compose does so with `command: npm run serve`. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < line.length) {
    PART.lastIndex = at;
    const match = PART.exec(line);
    if (match !== null) {
      const [whole, single, double, escaped, plain] = match;
      word = (word ?? '') + (single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain ?? '');
      at += whole.length;
    } else if (/\s/.test(line.charAt(at))) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
    } else {
      throw new SyntaxError(`unclosed ${line.charAt(at)} in: ${line}`);
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
