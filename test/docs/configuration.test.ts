import { expect, it } from 'vitest';
import { configurationReference } from '../../src/config/reference.js';
import { readRoot } from './markdown.js';

const PAGE = 'docs/configuration.md';

it('docs/configuration.md contains the generated reference (vitest -u writes it)', async () => {
  const current = readRoot(PAGE).replace(
    /(<!-- reference: begin -->\n)[\s\S]*(<!-- reference: end -->)/,
    (_, begin, end) => `${begin}${configurationReference()}${end}`,
  );
  expect(current).toContain('| `rollout.batch` |');
  await expect(current).toMatchFileSnapshot(new URL(`../../${PAGE}`, import.meta.url).pathname);
});
