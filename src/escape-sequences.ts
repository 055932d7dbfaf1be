/**
 * Escape sequences of terminals: CSI (colours, cursor), OSC (titles, links, the clipboard), and two-character ones. Bounded, because
 * foreign text may almost be one: Node's stripVTControlCharacters takes quadratic time for that.
 */
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  /(?:\x1b\[|\x9b)[0-?]{0,100}[ -/]{0,10}[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -~]/g;

export function withoutSequences(text: string): string {
  return text.replace(SEQUENCES, '');
}
