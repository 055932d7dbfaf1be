/**
 * The mark of a droplet that a person has taken out: the name of one more tag on it, besides that of the ledger. It says why,
 * who and when, so that a run knows it without reaching the droplet, and no droplet can write it.
 *
 *   do-deploy:by-hand:APP:SCOPE:SINCE:WHO:_REASON
 *
 * DigitalOcean allows letters, digits, `-`, `_` and `:` in tags. In WHO and REASON `_` is a space, and every other byte is `:`
 * and two hexadecimal digits.
 */
import type { ByHand } from '../../rollout/model.js';

/** Of DigitalOcean. */
const MAX_TAG = 255;

/** In characters. The name of the tag leaves less where those of the app and the environment are long. */
const MAX_WHO = 60;
const MAX_REASON = 120;

const BETWEEN = ':_';

export function byHandPrefix(app: string, scope: string): string {
  return `do-deploy:by-hand:${app}:${scope}:`;
}

export function byHandTag(prefix: string, { since, who, reason }: ByHand): string {
  const time = since.replace(/\.\d+Z$/, 'Z').replace(/[-:]/g, '');
  const start = `${prefix}${time}:`;
  const by = encoded(plain(who, MAX_WHO), Math.max(0, (MAX_TAG - start.length - BETWEEN.length) >> 1));
  const head = `${start}${by}${BETWEEN}`;
  return `${head}${encoded(plain(reason, MAX_REASON), MAX_TAG - head.length)}`;
}

/** Undefined for any other tag. */
export function readByHandTag(prefix: string, tag: string): ByHand | undefined {
  if (!tag.startsWith(prefix)) return undefined;
  const [, year, month, day, hour, minute, second, rest = ''] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z:(.*)$/.exec(tag.slice(prefix.length)) ?? [];
  const at = rest.indexOf(BETWEEN);
  const since = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  if (at < 0 || Number.isNaN(Date.parse(since))) return undefined;
  return { since, who: decoded(rest.slice(0, at), MAX_WHO), reason: decoded(rest.slice(at + 2), MAX_REASON) };
}

/** One line without control and format characters, and of a bounded length. */
export function plain(text: string, limit = MAX_REASON): string {
  const line = text.slice(0, limit * 4).replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return [...line.trim()].slice(0, limit).join('').trim();
}

/** As many whole characters as there is room for. */
function encoded(text: string, room: number): string {
  let tag = '';
  for (const character of text) {
    const next = /[A-Za-z0-9-]/.test(character) ? character : character === ' ' ? '_' : bytesOf(character);
    if (tag.length + next.length > room) break;
    tag += next;
  }
  return tag;
}

function bytesOf(character: string): string {
  return [...Buffer.from(character)].map((byte) => `:${byte.toString(16).padStart(2, '0')}`).join('');
}

function decoded(tag: string, limit: number): string {
  const bytes = [...tag.matchAll(/:([0-9a-f]{2})|(.)/g)].map(([, hex, letter = '']) =>
    hex === undefined ? (letter === '_' ? 32 : letter.charCodeAt(0)) : Number.parseInt(hex, 16),
  );
  return plain(Buffer.from(bytes).toString(), limit);
}
