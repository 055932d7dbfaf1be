/** Control characters but the line feed, and those that break a line or turn its direction. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the matter
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

export function isSafeText(text: string): boolean {
  return !UNSAFE.test(text);
}

export function isSafeLine(text: string): boolean {
  return isSafeText(text) && !text.includes('\n');
}
