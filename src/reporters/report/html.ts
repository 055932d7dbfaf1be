/** HTML in which no text from outside can be anything but text. */
import { cleanText } from '../text.js';

/** Markup that is complete and safe. Only `html` makes it. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = string | number | Html | readonly Html[] | undefined;

/** A template: what is put into it is escaped, unless it is Html. Attributes must be quoted. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return new Html(parts.map((part, index) => (index === 0 ? '' : valueText(values[index - 1])) + part).join(''));
}

function valueText(value: Value): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  return typeof value === 'object' ? value.map(({ text }) => text).join('') : escapeText(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Marks that turn the direction of a line; `cleanText` removes the others. */
const DIRECTION = /[\u061c\u200e\u200f]/g;

function escapeText(text: string): string {
  return cleanText(text)
    .replace(DIRECTION, '')
    .replace(/[&<>"'`]/g, (char) => ENTITIES[char] ?? '');
}

/** A name that somebody else has chosen: letters that run from right to left do not turn what stands beside it. */
export function named(name: string): Html {
  return html`<bdi>${name}</bdi>`;
}
