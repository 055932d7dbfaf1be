import { expect, it } from 'vitest';
import { Narrator } from '../../src/reporters/narration.js';
import { createPalette } from '../../src/reporters/palette.js';

it.each([
  ['SIGINT', 'Interrupted by SIGINT: Finishing.'],
  ['Nothing caught this error: null.', 'Nothing caught this error: null. Finishing.'],
])('after %s, what interrupts a run is said in whole sentences', (signal, said) => {
  const narrator = new Narrator({ palette: createPalette(false), level: 'normal', width: () => 200 });
  const event = {
    schema: 2,
    at: '2026-11-21T07:45:00.000Z',
    type: 'deploy-interrupted',
    signal,
    detail: 'Finishing.',
  } as const;
  expect(narrator.tell(event).join('\n')).toContain(said);
  expect(narrator.tell(event).join('\n')).not.toContain('by Nothing');
});
