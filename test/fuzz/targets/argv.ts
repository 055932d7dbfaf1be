/** Command lines: an invocation, help, or a usage error whose hint can be pasted. */

import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { CommandLine } from '../../../src/cli/command-line.js';
import { commonArguments, understand } from '../../../src/cli/parse.js';
import { Screen } from '../../../src/cli/screen.js';
import { COMMANDS } from '../../../src/commands/index.js';
import { expectRefusal } from '../errors.js';
import { expectThat, target } from '../target.js';
import { isSafeText } from '../unsafe.js';
import { hostileWord, longText } from '../words.js';

const WORDS = [
  ...[
    'deploy',
    'status',
    'heal',
    'adopt',
    'rollback',
    'history',
    'tag',
    'tags',
    'lock',
    'break',
    'sandbox',
    'up',
    'demo',
    'completion',
  ],
  ...[
    'production',
    'staging',
    'v1',
    '1.10',
    '007',
    'help',
    '--',
    '-',
    '---',
    '----',
    '--=',
    '----=x',
    '-=',
    '=',
    '--_',
    '--_=x',
    '--$0=x',
  ],
  ...[
    '--json',
    '--yes',
    '-y',
    '-h',
    '--help',
    '--version',
    '-v',
    '--verbose',
    '--no-color',
    '--no-no-color',
    '--config',
    '--config=',
    '--config=a',
  ],
  ...[
    '--wait-lock',
    '--wait-lock=10m',
    '10m',
    '1e999s',
    '--droplets',
    '5',
    '--droplets=1e3',
    '--force=yes',
    '--check',
    '--to',
    '--all',
    '-yh',
    '-y=1',
  ],
  ...[
    '--__proto__',
    '--__proto__.x=1',
    '--constructor',
    '--constructor.prototype.x',
    '--a.b.c=1',
    '--toString=1',
    '--hasOwnProperty',
    '--argv=x',
  ],
];
const argv = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...WORDS) },
    { weight: 1, arbitrary: hostileWord },
    { weight: 1, arbitrary: hostileWord.map((word) => `--${word}`) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...WORDS), hostileWord).map(([word, more]) => `${word}=${more}`) },
    { weight: 1, arbitrary: longText.map((text) => text.slice(0, 20_000)) },
  ),
  { maxLength: 7 },
);

const PROTOTYPE = Object.getOwnPropertyNames(Object.prototype).join();

export const commandLine = target({
  name: 'argv',
  runs: 100,
  inputs: argv,
  async check(words) {
    let refused = false;
    try {
      const { kind } = await understand(words, COMMANDS);
      expectThat(['run', 'help', 'version'].includes(kind), `it is a ${kind}`);
    } catch (error) {
      expectThat(expectRefusal(error, 'user').code === 'usage', `the error is ${error}`);
      refused = true;
    }
    try {
      commonArguments(words);
    } catch (error) {
      expectRefusal(error, 'user');
    }
    expectThat(
      PROTOTYPE === Object.getOwnPropertyNames(Object.prototype).join(),
      'it changed the prototype of objects',
    );
    if (refused) await expectUsageError(words);
  },
});

async function expectUsageError(words: readonly string[]): Promise<void> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let shown = '';
  for (const stream of [stdout, stderr]) stream.on('data', (text: Buffer) => (shown += text));
  const screen = new Screen({ stdin, stdout, stderr } as unknown as ConstructorParameters<typeof Screen>[0]);
  const exit = await new CommandLine(COMMANDS, words, { cwd: '/', env: {}, screen }).run();
  expectThat(exit === 2, `the exit code is ${exit}: ${shown}`);
  expectThat(
    !/^ +at .*:\d+:\d+\)?$/m.test(shown) || words.some((word) => /\n|-v/.test(word)),
    `a stack trace is shown: ${shown}`,
  );
  expectThat(isSafeText(shown), `control characters are shown: ${JSON.stringify(shown)}`);
}
