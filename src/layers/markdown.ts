/** Foreign text in the Markdown of Discord and Mattermost: shown as it is, never as markup, a link or a mention. */

const GAP = '\u200b';

/**
 * Punctuation gets a backslash, except between letters and digits where it cannot mean anything: `v1.4.2` and `web-1` stay
 * readable. What begins a mention, an emoji, an address, a channel or a hashtag gets an invisible gap as well: programs look
 * for those after they have read the Markdown. `<` is left to each service.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(/(?<![A-Za-z0-9])[.-]|\.(?![0-9])|-(?![A-Za-z0-9])|[\\`*{}[\]()#+!_>|~]/g, '\\$&')
    .replace(/[@#~]|:(?=\S)/g, `$&${GAP}`);
}

/** In a line, as a program would show it. */
export function code(text: string): string {
  return text.includes('`') ? `\`\` ${withGaps(text)} \`\`` : `\`${withGaps(text)}\``;
}

/** Lines as a program would show them. */
export function codeBlock(lines: readonly string[]): string {
  return ['```', ...lines.map(withGaps), '```'].join('\n');
}

/** Mentions are looked for in code, too. Several backticks would end it. */
function withGaps(text: string): string {
  return text.replace(/@|`(?=`)/g, `$&${GAP}`);
}
