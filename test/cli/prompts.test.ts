/** The questions of a set-up, at a terminal made of streams. */
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createPrompts } from '../../src/cli/prompts.js';
import { Screen } from '../../src/cli/screen.js';
import type { Prompts } from '../../src/ports.js';

const [DOWN, ENTER, CTRL_C, CTRL_D] = ['\x1b[B', '\r', '\x03', '\x04'];

/** Types the keys as soon as something is asked. */
function aTerminal(keys: readonly string[], color = true) {
  const stream = () =>
    Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, setRawMode() {}, columns: 100, rows: 40 });
  const [stdin, stdout] = [stream(), stream()];
  const hidden: string[] = [];
  const screen = { text: '', raw: '' };
  stdout.on('data', (text: string) => {
    screen.raw += text;
    screen.text += stripVTControlCharacters(text);
  });
  // A question listens once it is drawn.
  const type = () => {
    for (const key of keys) stdin.write(key);
  };
  stdout.once('data', () => queueMicrotask(type));
  const prompts = createPrompts({
    streams: new Screen({ stdin, stdout, stderr: stdout }).dialogue({ color }),
    clean: (text) => text.replaceAll('hunter22', '[secret]'),
    hide: (secret) => hidden.push(secret),
  });
  return { prompts, screen, hidden, stdin };
}

const CHOICES = [
  { value: 1, label: 'one', hint: 'hunter22' },
  { value: 2, label: 'two hunter22', isInitial: true },
  { value: 3, label: 'three' },
];

describe('a question', () => {
  it.each<[string, (prompts: Prompts) => Promise<unknown>, string[], unknown]>([
    ['for a text', ({ text }) => text('Name?'), [' shop ', ENTER], 'shop'],
    ['for a text with an answer to keep', ({ text }) => text('Name?', { initial: 'shop' }), [ENTER], 'shop'],
    ['for nothing', ({ text }) => text('Name?'), [ENTER], ''],
    ['for one of several', ({ choose }) => choose('Which?', CHOICES), [DOWN, ENTER], 2],
    ['for one of several, from the initial one', ({ choose }) => choose('Which?', CHOICES, 2), [DOWN, ENTER], 3],
    ['for several', ({ chooseSeveral }) => chooseSeveral('Which?', CHOICES, { required: true }), [' ', ENTER], [1, 2]],
    ['for a yes', ({ confirm }) => confirm('Sure?', false), ['y'], true],
    ['for a no', ({ confirm }) => confirm('Sure?', false), [ENTER], false],
    ['for a secret, without one', ({ secret }) => secret('Token?'), [ENTER], ''],
  ])('%s', async (_, ask, keys, answer) => {
    const { prompts, stdin } = aTerminal(keys);
    expect(await ask(prompts)).toEqual(answer);
    expect(stdin.listenerCount('keypress')).toBe(0);
  });

  it('shows no secret and no control character of a name', async () => {
    const { prompts, screen } = aTerminal([ENTER]);
    await prompts.choose('Which hunter22?', CHOICES, 1);
    expect(screen.text).not.toContain('hunter22');
    expect(screen.text).toContain('two [secret]');
  });

  it('has no colours where none are wanted', async () => {
    const { prompts, screen } = aTerminal([ENTER], false);
    await prompts.choose('Which \u001b[31mred\u001b[39m?', CHOICES);
    expect(screen.raw).not.toContain('\u001b[3');
    expect(screen.raw).toContain('\x1b[?25l');
  });

  it('is asked again until the answer passes', async () => {
    const { prompts, screen } = aTerminal(['A', ENTER, 'b', ENTER]);
    const check = (answer: string) => (answer === 'Ab' ? undefined : `expected Ab, not ${answer}`);
    expect(await prompts.text('Name?', { check })).toBe('Ab');
    expect(screen.text).toContain('expected Ab, not A');
  });

  it('for a secret never shows it, and masks it from then on', async () => {
    const { prompts, screen, hidden } = aTerminal(['dop_v1_0123', ENTER]);
    expect(await prompts.secret('Token?')).toBe('dop_v1_0123');
    expect(screen.text).not.toMatch(/dop|0123/);
    expect(hidden).toEqual(['dop_v1_0123']);
  });

  it.each([
    ['Ctrl-C', [CTRL_C]],
    ['Ctrl-C after half an answer', ['sho', CTRL_C]],
    ['Ctrl-D', [CTRL_D]],
  ])('ends the command at %s', async (_, keys) => {
    for (const ask of [
      ({ text }: Prompts) => text('Name?'),
      ({ secret }: Prompts) => secret('Token?'),
      ({ choose }: Prompts) => choose('Which?', CHOICES),
      ({ confirm }: Prompts) => confirm('Sure?', true),
    ]) {
      await expect(ask(aTerminal(keys).prompts)).rejects.toMatchObject({ code: 'interrupted' });
    }
  });

  it('ends the command when the terminal goes away', async () => {
    const { prompts, stdin } = aTerminal([]);
    const asked = prompts.text('Name?');
    stdin.end();
    await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
  });
});
