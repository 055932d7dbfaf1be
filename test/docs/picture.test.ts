/** docs/deploy.svg, which `scripts/demo-picture.mjs` makes of a recording of the demo. */
import { describe, expect, it } from 'vitest';
import { readRoot } from './markdown.js';

const picture = readRoot('docs/deploy.svg');
const words = /<desc id="words">([^<]*)<\/desc>/.exec(picture)?.[1] ?? '';

describe('the picture of a deploy', () => {
  it('is small, and needs nothing but itself', () => {
    expect(Buffer.byteLength(picture)).toBeLessThan(60_000);
    expect(picture.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
      /\b(?:href|src)=|url\(|@import|<(?:script|image|foreignObject|use|a)\b|\son\w+=|xmlns/,
    );
  });

  it('is well-formed', () => {
    const open: string[] = [];
    for (const [, closes, name = '', , empty] of picture.matchAll(/<(\/?)(\w+)((?:\s[\w-]+="[^"<]*")*)\s*(\/?)>/g)) {
      if (closes) expect(open.pop()).toBe(name);
      else if (!empty) open.push(name);
    }
    expect(open).toEqual([]);
    expect(picture.match(/<(?!\/?\w+(?:\s[\w-]+="[^"<]*")*\s*\/?>)/g)).toBeNull();
    expect(picture.match(/&(?!(?:amp|lt|gt);)/g)).toBeNull();
  });

  it('has a name, and its text for those who do not see it', () => {
    expect(picture).toMatch(/<svg [^>]*role="img" aria-labelledby="title words"/);
    expect(picture).toMatch(/<title id="title">[^<]{40,}<\/title>/);
    const drawn = [...picture.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text = '']) => text);
    const missing = drawn.filter((text) => !words.includes(text));
    // The headings of the two terminals.
    expect(missing).toEqual(['$ npm run demo', 'and at the end']);
  });

  it('has colours for a light and a dark page, and each that it uses in both', () => {
    const [light = '', dark = ''] = picture.split('@media (prefers-color-scheme: dark)');
    const used = new Set([...picture.matchAll(/var\((--\w+)\)/g)].map(([, name]) => name));
    expect(used.size).toBeGreaterThan(5);
    for (const name of used) {
      expect(light).toContain(`${name}: #`);
      expect(dark).toContain(`${name}: #`);
    }
  });

  it('shows a droplet that is out while the others serve, and that no request failed', () => {
    expect(words).toMatch(/^Deploying shop v1 → v2 to sandbox$/m);
    expect(words).toMatch(/^▸ {2}web-3 +out /m);
    expect(words).toMatch(/^serving: 2 of 3, floor 2$/m);
    expect(words.match(/^web-\d .* healthy {2}deployed$/gm)).toHaveLength(3);
    expect(words).toMatch(/^0 of \d{3,} requests failed /m);
  });

  it('is in the README, with a description', () => {
    expect(readRoot('README.md')).toMatch(/!\[[^\]]{40,}\]\(docs\/deploy\.svg\)/);
  });
});
