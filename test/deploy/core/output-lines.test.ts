import { describe, expect, it } from 'vitest';
import { errorLine, firstLines } from '../../../src/deploy/core/output-lines.js';

describe('the lines that explain a failure', () => {
  it('have letters', () => {
    expect(errorLine('services:\n  app: [\n       ^\n}\n')).toBe('app: [');
    expect(errorLine('---\n')).toBe('no reason given');
    expect(errorLine('', 'exit code 3')).toBe('exit code 3');
  });

  it('are the last that names an error, or else the last', () => {
    expect(errorLine('Error: no such image\ncleaning up\n')).toBe('Error: no such image');
    expect(errorLine('starting\nstopped\n')).toBe('stopped');
  });

  it('are the first three of compose, without its warnings', () => {
    const warning = 'time="2026-11-25T07:00:00Z" level=warning msg="the attribute `version` is obsolete"';
    expect(
      firstLines(`${warning}\nvalidating compose.yml:\n\n  ^^^\nservices.app\nimage must be a string\nmore\n`),
    ).toBe('validating compose.yml: services.app image must be a string');
    expect(firstLines(`${warning}\n`)).toBe(warning);
  });
});
