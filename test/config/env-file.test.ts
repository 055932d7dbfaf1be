/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseEnvFile } from '../../src/config/env-file.js';

function valuesOf(text: string): Record<string, string> {
  const { variables, fault } = parseEnvFile(text);
  expect(fault).toBeUndefined();
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

/** As Docker Compose 2.26.1 reads them. */
const CASES: [text: string, values: Record<string, string>][] = [
  ['A=ab#c', { A: 'ab#c' }],
  ['A=b # comment', { A: 'b' }],
  ['A=b\t#c', { A: 'b\t#c' }],
  ['A=#b', { A: '#b' }],
  ['A= # b', { A: '# b' }],
  ['A = b ', { A: 'b' }],
  ['A: b', { A: 'b' }],
  ['export A=b', { A: 'b' }],
  ['exportA=b', { exportA: 'b' }],
  ['  # comment\n\n\tA=b', { A: 'b' }],
  ['A="b" # comment', { A: 'b' }],
  ['A="b#c"', { A: 'b#c' }],
  ['A="b"C=d', { A: 'b', C: 'd' }],
  ["A='b\\n$C'", { A: 'b\\n$C' }],
  ["A='it\\'s'", { A: "it's" }],
  ['A="it\\"s"', { A: 'it"s' }],
  ['A="b\\nc\\td\\\\e\\x"', { A: 'b\nc\td\\e\\x' }],
  ['A="\\0123\\07\\0777"', { A: 'S\\7\\777' }],
  ['A="b\nc"\nD=e', { A: 'b\nc', D: 'e' }],
  ['A=`b`', { A: '`b`' }],
  ['A=b"c"', { A: 'b"c"' }],
  ['A=\r\nB=c\r\n', { A: '', B: 'c' }],
  ['A="b\r\nc"', { A: 'b\r\nc' }],
  ['A=b\nA=c', { A: 'c' }],
  ['A=b=c==', { A: 'b=c==' }],
  ['a.b-c[1]=d', { 'a.b-c[1]': 'd' }],
  ['ärger=ü', { ärger: 'ü' }],
  ['A=b\nB=$A-${A}-$$A', { A: 'b', B: 'b-b-$A' }],
  ['A="\\$B"', { A: '$B' }],
  ['A=${B:-c}${B-d}${B:+e}', { A: 'cd' }],
  ['A=\nB=${A:-c}${A-d}${A:+e}${A+f}', { A: '', B: 'cf' }],
  ['A=b\nB=${A:-${C}}x}', { A: 'b', B: 'bx}' }],
  ['A=${B-${C-d}}', { A: 'd' }],
  ['A=$1 $', { A: '$1 $' }],
  ['HOME\nA=b', { A: 'b' }],
  ['', {}],
];

describe('an env file is read as docker compose reads it', () => {
  it.each(CASES)('%j', (text, values) => {
    expect(valuesOf(text)).toEqual(values);
  });

  it('with the text as it is written, and the line where it begins', () => {
    expect(parseEnvFile('# one\nA="x\\"\ny"\n\nB=$A').variables).toEqual([
      { name: 'A', value: 'x"\ny', raw: 'x\\"\ny', line: 2 },
      { name: 'B', value: 'x"\ny', raw: '$A', line: 5 },
    ]);
  });

  it('with variables from elsewhere before its own', () => {
    const lookup = (name: string) => (name === 'A' ? 'outside' : undefined);
    const { variables } = parseEnvFile('A=own\nB=$A\nC=${D?}', lookup);
    expect(variables.map(({ value }) => value)).toEqual(['own', 'outside']);
  });
});

describe('an env file that compose refuses, or could read otherwise, is refused', () => {
  it.each([
    ['A=b\nC="d\ne', 2, 'a quote is not closed'],
    ['A=b\n\nC D=e', 3, "a variable's name contains a space"],
    ['A?=b', 1, "a variable's name contains a character that no name may have"],
    ['A=b\n=c', 2, 'a name is missing before the ='],
    ['A=b\nC', 2, 'the last line has no ='],
    ['A=${}', 1, 'a reference in braces is malformed, or names a variable that is required and not set'],
    ['A=${B', 1, 'a reference in braces is malformed, or names a variable that is required and not set'],
    ['A=${B:?}', 1, 'a reference in braces is malformed, or names a variable that is required and not set'],
    ['A=b\nKEY=-----BEGIN PRIVATE KEY-----\nMIIEabc+/\n', 2, 'a key of several lines is not in quotes'],
  ])('%j', (text, line, message) => {
    expect(parseEnvFile(text).fault).toMatchObject({ line, message });
  });

  it('without a word of its text: it may be part of a secret', () => {
    const secret = 'hunter2secret';
    for (const text of [`A="${secret}`, `${secret}?`, `A ${secret}=b`, `A=\${${secret}`, secret]) {
      expect(JSON.stringify(parseEnvFile(text).fault), text).not.toContain(secret);
    }
  });
});

describe('an env file that is meant to exhaust the reader', () => {
  it.each([
    ['A="'],
    ['A=${B-'.repeat(100_000)],
    ['A='.concat('${B-'.repeat(100_000), '}'.repeat(100_000))],
    ['A='.concat('${B-c}'.repeat(100_000))],
    [' '.repeat(1_000_000)],
    [`A=${' '.repeat(1_000_000)}x`],
    ['#\n'.repeat(500_000)],
    ['A\n'.repeat(500_000)],
    [`A="${'\\'.repeat(1_000_000)}`],
    ['A'.repeat(1_000_000)],
  ])('is read to its end, or refused: %#', (text) => {
    const { variables, fault } = parseEnvFile(text);
    expect(variables.length + (fault === undefined ? 0 : 1)).toBeLessThan(2);
  });
});

describe('docker compose itself', () => {
  const compose = ['docker-compose', 'docker'].map((command) => [
    command,
    ...(command === 'docker' ? ['compose'] : []),
  ]);
  const found = compose.find(([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0);
  const piece = fc.constantFrom(
    ...[
      'A',
      'B',
      'x',
      'é',
      ' ',
      '\t',
      '#',
      ' #',
      '"',
      "'",
      '\\',
      '\\n',
      '\\"',
      '$',
      '$A',
      '${A}',
      '${B:-x}',
      '${B-${A}}',
    ],
    ...['{', '}', '=', ':', '`', '\\$', '$$', '\\0101', '\r\n', '-', '.', '\n', '"q"', "'r'", '${B:+y}'],
  );
  const start = fc.constantFrom('A=', 'B=', 'export C=', 'D: ', 'E = ', '# ', '');
  const line = fc.tuple(start, fc.array(piece, { maxLength: 6 })).map(([name, value]) => name + value.join(''));
  const files = fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => `${lines.join('\n')}\n`);

  /** Undefined when it refuses the file. */
  function readByCompose(folder: string, text: string): Record<string, string> | undefined {
    const [command = '', ...args] = found ?? [];
    writeFileSync(join(folder, 'c.yml'), 'services: { a: { image: x, env_file: [e.env] } }\n');
    writeFileSync(join(folder, 'e.env'), text);
    const options = { cwd: folder, env: { PATH: process.env.PATH ?? '' }, encoding: 'utf8' } as const;
    const { status, stdout } = spawnSync(command, [...args, '-f', 'c.yml', 'config', '--format', 'json'], options);
    if (status !== 0) return undefined;
    const { environment = {} } = JSON.parse(stdout).services.a;
    // `config` doubles each dollar sign, so that its output can be read again. A name without a value is null.
    const values = Object.entries(environment as Record<string, string | null>).flatMap(([name, value]) =>
      value === null ? [] : [[name, value.replaceAll('$$', '$')]],
    );
    return Object.fromEntries(values);
  }

  function makeFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'do-deploy-env-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
  }

  it.skipIf(found === undefined)('reads the cases above so', () => {
    const folder = makeFolder();
    for (const [text, values] of CASES) expect(readByCompose(folder, text), text).toEqual(values);
  });

  it.skipIf(found === undefined)('reads the same in 200 random files', { timeout: 600_000 }, () => {
    const folder = makeFolder();
    const property = fc.property(files, (text) => {
      const { variables, fault } = parseEnvFile(text);
      // What is refused here never reaches compose.
      if (fault !== undefined) return;
      const values = variables.map(({ name, value }) => [name, value]);
      expect(Object.fromEntries(values)).toEqual(readByCompose(folder, text));
    });
    fc.assert(property, { numRuns: 200 });
  });
});
