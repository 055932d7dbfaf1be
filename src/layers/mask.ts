/** Removes what must not be shown from an answer, in the spellings in which a server repeats it. */

const MASK = '[secret]';

/** @param shortest secrets that are shorter than this are ordinary words */
export function mask(text: string, secrets: readonly string[], shortest: number): string {
  const known = new Set(secrets.flatMap(spellings).filter((secret) => secret.length >= shortest));
  const longestFirst = [...known].sort((a, b) => b.length - a.length);
  return longestFirst.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}

function spellings(secret: string): string[] {
  const html = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const json = JSON.stringify(secret).slice(1, -1);
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '');
  return [secret, decoded(secret), encodeURIComponent(secret), html, json, json.replaceAll('/', '\\/'), base64];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
