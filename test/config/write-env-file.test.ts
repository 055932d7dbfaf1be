/** biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the files' own syntax */
/** What do-deploy writes as an env file is read by compose as the same values. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'dotenv';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseEnvFile } from '../../src/config/env-file.js';
import { writeEnvFile } from '../../src/config/write-env-file.js';
import { readEnvFile } from '../../src/sandbox/docker/compose/env-file.js';

const pieces = [
  'a',
  'é',
  ' ',
  '\t',
  '#',
  ' #',
  '"',
  "'",
  '\\',
  '\\n',
  '$',
  '$A',
  '${A}',
  '$$',
  '=',
  '`',
  '\n',
  '\r\n',
  '\r',
  '{',
  '}',
];
const value = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((some) => some.join(''));
const COMPOSE = ['docker-compose', '/var/cache/do-deploy-e2e/docker-compose'].find(
  (command) => spawnSync(command, ['version']).status === 0,
);

describe('an env file that do-deploy writes', () => {
  it('is read as it was meant', () => {
    fc.assert(
      fc.property(value, (text) => {
        const { variables, fault } = parseEnvFile(
          writeEnvFile(
            'Written.',
            new Map([
              ['A', text],
              ['B', 'b'],
            ]),
          ),
        );
        expect(fault).toBeUndefined();
        expect(variables.map((one) => [one.name, one.value])).toEqual([
          ['A', text],
          ['B', 'b'],
        ]);
      }),
    );
  });

  it('is the same for the same values in another order', () => {
    const values: [string, string][] = [
      ['B', '2'],
      ['A', '1'],
    ];
    expect(writeEnvFile('Written.', new Map(values))).toBe("# Written.\nA='1'\nB='2'\n");
    expect(writeEnvFile('Written.', new Map(values.toReversed()))).toBe(writeEnvFile('Written.', new Map(values)));
  });

  it('is read so by the sandbox, and where no backslash or quote is in a value by dotenv', () => {
    const plain = 'x#y $HOME {} ` é';
    expect(parse(writeEnvFile('Written.', new Map([['A', plain]])))).toEqual({ A: plain });
    const hard = `it's "q" $A \\n \\ end`;
    const read = readEnvFile(
      writeEnvFile('Written.', new Map([['A', hard]])),
      () => undefined,
      () => {},
    );
    expect(read).toEqual({ A: hard });
  });

  it.skipIf(COMPOSE === undefined)('is read so by compose itself', { timeout: 600_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'do-deploy-env-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'c.yml'), 'services: { a: { image: x, environment: [A, B] } }\n');
    const property = fc.property(value, (text) => {
      writeFileSync(
        join(folder, 'e.env'),
        writeEnvFile(
          'Written.',
          new Map([
            ['A', text],
            ['B', 'b'],
          ]),
        ),
      );
      const args = ['-f', 'c.yml', '--env-file', 'e.env', 'config', '--format', 'json'];
      const { stdout } = spawnSync(COMPOSE ?? '', args, { cwd: folder, env: { PATH: '' }, encoding: 'utf8' });
      const { environment } = JSON.parse(stdout).services.a;
      expect(environment.A.replaceAll('$$', '$')).toBe(text);
    });
    fc.assert(property, { numRuns: 50 });
  });
});
