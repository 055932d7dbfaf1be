/** Links between the pages lead somewhere, and every page is found from the README. */
import { existsSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRoot } from './markdown.js';

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'src/sandbox/README.md',
  ...readdirSync('docs').map((name) => `docs/${name}`),
];

/** `[text](target#anchor)`, without links to other sites. */
function linksOf(page: string): { target: string; anchor?: string }[] {
  const links = readRoot(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g);
  return [...links].map(([, path = '', anchor]) => ({
    target: path === '' ? page : posix.join(posix.dirname(page), path),
    anchor,
  }));
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(page: string): string[] {
  const headings = [...readRoot(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe.each(PAGES)('%s', (page) => {
  it('links to files and headings that exist', () => {
    const broken = linksOf(page).filter(({ target, anchor }) => {
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('names paths of this repository that exist', () => {
    const own = /^(?:src|test|docs|bench|scripts)\/[\w./-]+$/;
    const named = [...readRoot(page).matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => (own.test(code) ? code : []));
    expect(named.filter((path) => !existsSync(path))).toEqual([]);
  });
});

it('the README links to every page of docs/', () => {
  const linked = linksOf('README.md').map(({ target }) => target);
  expect(PAGES.filter((page) => page.startsWith('docs/') && !linked.includes(page))).toEqual([]);
});
