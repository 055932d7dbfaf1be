import { expect, it } from 'vitest';
import { bootstrapLines } from '../../src/reporters/bootstrap-lines.js';
import { createPalette } from '../../src/reporters/palette.js';

const rows = [
  {
    droplet: 'web-1',
    changes: [{ action: 'swap', change: 'add 1 GiB of swap to 957 MiB of memory', files: ['/do-deploy.swap'] }],
    left: [{ action: 'firewall', reason: 'INPUT has rules already: do-deploy guards only the ports of containers' }],
  },
  { droplet: 'web-2', changes: [], left: [] },
];
const linesOf = (check: boolean) => bootstrapLines({ environment: 'production', check, rows }, createPalette(false));

it('a check says what would change, and why something is left alone', () => {
  expect(linesOf(true)).toEqual([
    'web-1: would add 1 GiB of swap to 957 MiB of memory (swap)',
    'web-1: left alone (firewall): INPUT has rules already: do-deploy guards only the ports of containers',
    'web-2: nothing to do',
  ]);
});

it('a run counts what it has changed', () => {
  expect(linesOf(false)).toEqual([
    'web-1: left alone (firewall): INPUT has rules already: do-deploy guards only the ports of containers',
    'web-1: ready, after 1 change',
    'web-2: nothing to do',
  ]);
});
