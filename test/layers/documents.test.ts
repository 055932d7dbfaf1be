/** Where errors send the user for the settings of a built-in layer. */

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { documentOf, LAYERS } from '../../src/layers/index.js';
import { loadLayer } from '../../src/layers/load-layer.js';

it.each(Object.keys(LAYERS))('the settings of %s are described where errors say', (name) => {
  const [path = '', anchor] = documentOf(name)?.split('#') ?? [];
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, words = '']) => words);
  expect(headings.map((words) => words.toLowerCase().replaceAll('`', '').replaceAll(' ', '-'))).toContain(anchor);
});

it('a name that is no built-in layer has none', () => {
  expect(documentOf('constructor')).toBeUndefined();
});

it('a folder instead of a file is named as such', async () => {
  const root = new URL('..', import.meta.url).pathname;
  expect(await loadLayer('./layers', root, systemClock)).toMatchObject({ message: 'is a folder' });
});
