import { describe, expect, it } from 'vitest';
import { coalesced } from '../../src/targets/coalesced.js';

function questions() {
  const answers: { resolve(value: number): void; reject(error: Error): void }[] = [];
  const ask = coalesced(() => new Promise<number>((resolve, reject) => answers.push({ resolve, reject })));
  return { ask, answers };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('coalesced', () => {
  it('asks once for all who ask at the same time', async () => {
    const { ask, answers } = questions();
    const both = Promise.all([ask(), ask()]);
    await turn();
    answers[0]?.resolve(7);
    expect(await both).toEqual([7, 7]);
    expect(answers).toHaveLength(1);
  });

  it('gives those who ask meanwhile the next answer, which is younger than their question', async () => {
    const { ask, answers } = questions();
    const first = ask();
    await turn();
    const later = Promise.all([ask(), ask()]);
    await turn();
    expect(answers, 'not asked before the first answer has come').toHaveLength(1);
    answers[0]?.resolve(1);
    expect(await first).toBe(1);
    await turn();
    answers[1]?.resolve(2);
    expect(await later).toEqual([2, 2]);
    expect(answers).toHaveLength(2);
  });

  it('asks again after a failure', async () => {
    const { ask, answers } = questions();
    const failed = ask();
    await turn();
    const later = ask();
    answers[0]?.reject(new Error('lost'));
    await expect(failed).rejects.toThrow('lost');
    await turn();
    answers[1]?.resolve(3);
    expect(await later).toBe(3);
  });
});
