import { expect, it } from 'vitest';
import { mustAsk } from '../../src/commands/shared/confirm.js';

const WORDS = ['production', 'v3'];
const context = (canAsk: boolean, isCi: boolean, yes: boolean) => ({ canAsk, isCi, args: { yes } });

it.each([
  ['at a terminal', context(true, false, false), true],
  ['with --yes', context(true, false, true), false],
  ['with --yes and without a terminal', context(false, false, true), false],
  ['in CI', context(false, true, false), false],
])('a change that needs a confirmation %s', (_, of, asks) => {
  expect(mustAsk(of, true, WORDS)).toBe(asks);
});

it('without a terminal and without --yes, it is refused with the command to type', () => {
  expect(() => mustAsk(context(false, false, false), true, WORDS)).toThrow(
    expect.objectContaining({
      message: 'This needs a confirmation, and there is no terminal to ask at.',
      hint: 'do-deploy production v3 --yes',
    }),
  );
  expect(mustAsk(context(false, false, false), false, WORDS), 'an environment without a confirmation').toBe(false);
});
