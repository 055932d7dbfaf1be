import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { firstColumns, readRoot, section } from './markdown.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/safety.md',
  'docs/events.md',
  'docs/performance.md',
  'src/sandbox/README.md',
];

describe('the map of CONTRIBUTING.md', () => {
  it('names files and folders that exist', () => {
    const named = firstColumns(section(readRoot('CONTRIBUTING.md'), 'A map of the code'));
    expect(named).toContain('src/rollout/');
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe.each(PAGES)('%s', (page) => {
  it('links to files that exist', () => {
    const links = [...readRoot(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link);
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(page), link)))).toEqual([]);
  });

  it('names paths of this repository that exist', () => {
    const own = /^(?:src|test|docs|bench|scripts)\/[\w./-]+$/;
    const named = [...readRoot(page).matchAll(/`([^`\n]+)`/g)]
      .map(([, code = '']) => code)
      .filter((one) => own.test(one));
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
