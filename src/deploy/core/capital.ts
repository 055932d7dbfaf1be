/** A phrase as the beginning of a sentence. */
export function capital(phrase: string): string {
  return phrase.charAt(0).toUpperCase() + phrase.slice(1);
}

/**
 * What containers show, as a sentence: names of services are written as they are.
 * @param names of the services that it can begin with
 */
export function ofService(cause: string, names: readonly string[]): string {
  const isNamed = names.some((name) => cause.startsWith(`${name} `));
  return (isNamed ? `Service ${cause}` : capital(cause)).replace(/\.?$/, '.');
}
