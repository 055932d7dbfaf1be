/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** Env files: variables or a fault with its line; ordinary files as dotenv reads them. */
import { parse } from 'dotenv';
import fc from 'fast-check';
import { parseEnvFile } from '../../../src/config/env-file.js';
import { secretValues } from '../../../src/config/secret-values.js';
import { expectThat, target } from '../target.js';
import { longText, spoiled } from '../words.js';

const VALID = [
  '# settings\nA=b\nexport B="c d"\nC=\'e $A\'\n\nD=${A:-x}$B\nE: f\nKEY="-----BEGIN KEY-----\nabc\n-----END KEY-----"\n',
  'A=1 # one\nB=\nC=$$\nD="\\n\\t\\0101"\nHOME\nURL=postgres://user:p4ss@db:5432/shop?x=1\n',
];
const WORDS = [
  '=',
  '="',
  "='",
  '${A',
  '${A:-${B:-${C}}}',
  '}',
  'export ',
  'export\n',
  '\\"',
  "\\'",
  '\r\n',
  '$A',
  '-----BEGIN',
];

/** Names, and values without what the two readers treat differently: quotes, dollar signs, backslashes, comments. */
const ordinary = fc.uniqueArray(
  fc.tuple(
    fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/),
    fc.stringMatching(/^([A-Za-z0-9_.:,;/@+=?&%()!-][A-Za-z0-9_.:,;/@+=?&%()! -]{0,20}[a-z0-9])?$/),
  ),
  { selector: ([name]) => name, maxLength: 8 },
);

export const envFile = target({
  name: 'env-file',
  runs: 1_500,
  inputs: fc.oneof(
    { weight: 10, arbitrary: spoiled(fc.constantFrom(...VALID), WORDS) },
    { weight: 1, arbitrary: longText },
    { weight: 4, arbitrary: ordinary },
  ),
  check(input) {
    if (typeof input !== 'string') {
      const text = input.map(([name, value]) => `${name}=${value}\n`).join('');
      const { variables, fault } = parseEnvFile(text);
      expectThat(fault === undefined, `an ordinary file is refused: ${fault?.message}`);
      const values = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
      expectThat(JSON.stringify(values) === JSON.stringify(parse(text)), `dotenv reads ${JSON.stringify(parse(text))}`);
      return;
    }
    const { variables, fault } = parseEnvFile(input);
    const lines = input.split('\n').length;
    const numbers = [...variables, ...(fault === undefined ? [] : [fault])].map(({ line }) => line);
    expectThat(
      numbers.every((line, index) => line >= (numbers[index - 1] ?? 1) && line <= lines),
      `the lines are ${numbers}`,
    );
    const length = variables.reduce((sum, { value }) => sum + value.length, 0);
    expectThat(length <= Math.max(1, lines) * 1_000_000, `the values have ${length} characters`);
    secretValues(variables);
  },
});
