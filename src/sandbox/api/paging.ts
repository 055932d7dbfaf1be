import { type Answer, ok, problem } from './answers.js';

const DEFAULT_PER_PAGE = 20;
const MAX_PER_PAGE = 200;

/**
 * One page of a list: `{ [key]: items, links, meta: { total } }`. `links` is empty if everything fits on one page, else it
 * has the relations that exist, as absolute URLs that keep the other query parameters.
 */
export function page(key: string, items: unknown[], url: URL): Answer {
  const number = positive(url.searchParams.get('page'), 1);
  const perPage = positive(url.searchParams.get('per_page'), DEFAULT_PER_PAGE);
  if (number === undefined || perPage === undefined || perPage > MAX_PER_PAGE) {
    return problem(422, `page must be at least 1, per_page from 1 to ${MAX_PER_PAGE}`);
  }
  const last = Math.max(1, Math.ceil(items.length / perPage));
  const pages = {
    ...(number > 1 && { first: pageUrl(url, 1), prev: pageUrl(url, Math.min(number - 1, last)) }),
    ...(number < last && { next: pageUrl(url, number + 1), last: pageUrl(url, last) }),
  };
  return ok({
    [key]: items.slice((number - 1) * perPage, number * perPage),
    links: Object.keys(pages).length === 0 ? {} : { pages },
    meta: { total: items.length },
  });
}

function positive(text: string | null, fallback: number): number | undefined {
  if (text === null) return fallback;
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

function pageUrl(url: URL, number: number): string {
  const other = new URL(url);
  other.searchParams.set('page', String(number));
  return other.href;
}
