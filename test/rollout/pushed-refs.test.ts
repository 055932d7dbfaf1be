import { describe, expect, it } from 'vitest';
import { decidePush, readPushedRefs } from '../../src/rollout/pushed-refs.js';

const NONE = '0'.repeat(40);
const NEW = 'a'.repeat(40);
const OTHER = 'b'.repeat(40);
const RULES = { branch: 'main', tags: 'v*', environment: 'production' };
const pushed = (ref: string, after = NEW) => ({ before: NONE, after, ref });

describe('a push', () => {
  it('to the branch deploys its commit', () => {
    expect(decidePush([pushed('refs/heads/main')], RULES)).toEqual({
      deploy: { ref: 'refs/heads/main', commit: NEW },
      lines: [],
    });
  });

  it('of a tag deploys it under its name, also together with the branch', () => {
    const { deploy, lines } = decidePush([pushed('refs/heads/main'), pushed('refs/tags/v1.4.2', OTHER)], RULES);
    expect(deploy).toEqual({ ref: 'refs/tags/v1.4.2', commit: OTHER, tag: 'v1.4.2' });
    expect(lines).toEqual(['main is stored at aaaaaaa; the tag v1.4.2 is what is deployed.']);
  });

  it('of several tags deploys none of them, nor the branch', () => {
    const { deploy, lines } = decidePush(
      [pushed('refs/tags/v1'), pushed('refs/tags/v2'), pushed('refs/heads/main')],
      RULES,
    );
    expect(deploy).toBeUndefined();
    expect(lines[0]).toBe('Several tags were pushed, and none is deployed. Push the one to deploy alone.');
  });

  it.each([
    ['refs/heads/feature', NEW, 'feature is stored at aaaaaaa, and deploys nothing.'],
    ['refs/heads/mainly', NEW, 'mainly is stored at aaaaaaa, and deploys nothing.'],
    ['refs/tags/nightly', NEW, 'nightly is stored at aaaaaaa, and deploys nothing.'],
    ['refs/heads/main', NONE, 'main was removed: nothing is deployed.'],
    ['refs/tags/v1', NONE, 'v1 was removed: nothing is deployed.'],
  ])('of %s at %s says that it deploys nothing, and what would', (ref, after, sentence) => {
    expect(decidePush([pushed(ref, after)], RULES)).toEqual({
      lines: [sentence, 'A push to main, or of a tag like v*, is deployed to production.'],
    });
  });

  it('of very many refs names ten', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => pushed(`refs/heads/b${index}`));
    const { lines } = decidePush(many, RULES);
    expect(lines).toHaveLength(12);
    expect(lines).toContain('990 more refs deploy nothing.');
  });
});

it.each([
  ['v*', 'v1.2', true],
  ['v*', 'rev1', false],
  ['v*.*.0', 'v1.2.0', true],
  ['v*.*.0', 'v1.0', false],
  ['*-live', 'x-live', true],
  ['a*a', 'a', false],
  ['v1', 'v1', true],
  ['v1', 'v10', false],
  ['', 'v1', false],
])('the pattern %j and the tag %s: %s', (tags, tag, isDeployed) => {
  const { deploy } = decidePush([pushed(`refs/tags/${tag}`)], { ...RULES, tags });
  expect(deploy !== undefined).toBe(isDeployed);
});

it('reads what git gives its hooks, and nothing else', () => {
  const text = `${NONE} ${NEW} refs/heads/main\n${NEW} ${OTHER} refs/tags/v1\nnot a line\n${NEW} short refs/heads/x\n`;
  expect(readPushedRefs(text)).toEqual([
    { before: NONE, after: NEW, ref: 'refs/heads/main' },
    { before: NEW, after: OTHER, ref: 'refs/tags/v1' },
  ]);
});
