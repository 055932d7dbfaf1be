/** Words that others have written, as sentences. */

/** A phrase as the beginning of a sentence. */
export function capital(phrase: string): string {
  return phrase.charAt(0).toUpperCase() + phrase.slice(1);
}

/** With one full stop at its end. */
export function withStop(text: string): string {
  return text.replace(/\.?$/, '.');
}

/**
 * What containers show, as a sentence: names of services are written as they are.
 * @param services names that it can begin with
 */
export function causeSentence(cause: string, services: readonly string[]): string {
  const isNamed = services.some((name) => cause.startsWith(`${name} `));
  return withStop(isNamed ? `Service ${cause}` : capital(cause));
}
