/** The map of CONTRIBUTING.md matches the tree. */
import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../support/architecture.js';
import { firstColumns, readRoot, section } from './markdown.js';

const map = firstColumns(section(readRoot('CONTRIBUTING.md'), 'A map of the code'));
const foldersIn = (path: string) =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));

describe('the map of CONTRIBUTING.md', () => {
  it('names files and folders that exist', () => {
    expect(map.filter((path) => path.includes('/') && !existsSync(path))).toEqual([]);
  });

  it('has every file and folder at the top of src/', () => {
    const own = readdirSync('src', { withFileTypes: true }).map(
      (entry) => `src/${entry.name}${entry.isDirectory() ? '/' : ''}`,
    );
    expect(map.filter((path) => path.startsWith('src/')).sort()).toEqual(own.sort());
  });

  it('has the rooms of src/deploy in the order in which they may import each other', () => {
    const rooms = map.filter((name) => !name.includes('/'));
    expect(rooms).toEqual(ROOMS);
    expect([...rooms].sort()).toEqual(foldersIn('src/deploy').sort());
  });

  it('has every folder of test/ that is not named like one of src/', () => {
    const others = foldersIn('test').filter((name) => !existsSync(`src/${name}`));
    expect(map.filter((path) => path.startsWith('test/')).sort()).toEqual(others.map((name) => `test/${name}/`).sort());
  });
});

describe('the glossary of CONTRIBUTING.md', () => {
  it('has about ten entries', () => {
    const entries = section(readRoot('CONTRIBUTING.md'), 'Glossary').match(/^- /gm) ?? [];
    expect(entries).toHaveLength(10);
  });
});
