import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { withCapturedConsole } from '../../src/cli/captured-console.js';

afterEach(() => vi.unstubAllGlobals());

/** A console as Node makes it, and what reaches its streams. */
function consoleWithStreams(): { console: Console; written(): string } {
  let written = '';
  const stream = new Writable({
    write(chunk, _, done) {
      written += chunk;
      done();
    },
  });
  return { console: new Console({ stdout: stream, stderr: stream }), written: () => written };
}

describe('console of a layer', () => {
  it('prints by no method to the standard streams', async () => {
    const { console: own, written } = consoleWithStreams();
    vi.stubGlobal('console', own);
    const lines: string[] = [];
    const methods = Object.keys(own).filter((name) => typeof own[name as keyof Console] === 'function');
    expect(methods).toContain('dirxml');
    await withCapturedConsole(
      (line) => lines.push(line),
      async () => {
        for (const name of methods) {
          if (name === 'Console') continue;
          // `assert` prints what follows a value that is not true.
          const method = own[name as 'log'];
          name === 'assert' ? own.assert(false, `said by ${name}`) : method(`said by ${name}`);
        }
        own.groupEnd();
        // Labels that do not exist are warnings of the process.
        await new Promise((done) => setImmediate(done));
      },
    );
    expect(written()).toBe('');
    for (const name of [
      'log',
      'error',
      'warn',
      'info',
      'debug',
      'trace',
      'dir',
      'dirxml',
      'table',
      'group',
      'assert',
    ]) {
      expect(lines.join('\n')).toContain(`said by ${name}`);
    }
    own.log('afterwards');
    expect(written()).toBe('afterwards\n');
  });

  it('takes warnings of the process, and gives them back', async () => {
    const before = process.listeners('warning');
    const lines: string[] = [];
    await withCapturedConsole(
      (line) => lines.push(line),
      async () => {
        process.emitWarning('a token is in it', 'LayerWarning');
        await new Promise((done) => setImmediate(done));
      },
    );
    expect(lines).toEqual(['LayerWarning: a token is in it']);
    expect(process.listeners('warning')).toEqual(before);
  });
});
