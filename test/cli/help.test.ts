import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseArguments } from '../../src/cli/commands.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

it.each([['--help'], ['-h']])('%s prints what the arguments are parsed by', (flag) => {
  const printed = execFileSync(process.execPath, ['dist/main.js', flag], { encoding: 'utf8' });
  const parsed = parseArguments(['--help'], version);
  expect(parsed).toMatchObject({ command: 'show' });
  expect(printed.trimEnd()).toBe(parsed.command === 'show' ? parsed.text.trimEnd() : '');
});

it('--version prints the version of the package', () => {
  expect(execFileSync(process.execPath, ['dist/main.js', '--version'], { encoding: 'utf8' }).trim()).toBe(version);
});
