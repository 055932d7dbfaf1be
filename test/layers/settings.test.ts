import { describe, expect, it } from 'vitest';
import { commandWords } from '../../src/layers/settings.js';

describe('a command of a layer', () => {
  it('is words, or a list where a word has blanks or means something to a shell', () => {
    expect(commandWords.parse('bin/rails  db:migrate VERSION=1')).toEqual(['bin/rails', 'db:migrate', 'VERSION=1']);
    expect(commandWords.parse(['sh', '-c', 'a && b'])).toEqual(['sh', '-c', 'a && b']);
  });

  it.each(['a && b', 'a; b', 'a | b', 'a > b', 'a < b', 'echo `a`', 'echo "a b"', "echo 'a'"])(
    'is refused where it needs a shell: %s',
    (line) => {
      expect(commandWords.safeParse(line).error?.issues[0]?.message).toContain('no shell reads them');
    },
  );
});
