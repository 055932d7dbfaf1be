/** Answers questions in their order, and fails the test at a question that was not expected. */
import { expect } from 'vitest';
import { DeployError } from '../../src/errors.js';
import type { Choice, Prompts } from '../../src/ports.js';

/** A part of the question, and the answer: of a choice, a part of its label. */
export type Scripted = readonly [question: string, answer: string | boolean | readonly string[]];

export const CTRL_C = '\u0003';

export class ScriptedPrompts implements Prompts {
  readonly #script: Scripted[];
  /** What was offered, by question. */
  readonly offered = new Map<string, string[]>();

  constructor(...script: Scripted[]) {
    this.#script = script;
  }

  /** All questions were asked. */
  expectDone(): void {
    expect(this.#script).toEqual([]);
  }

  async text(question: string, { initial, check }: Parameters<Prompts['text']>[1] = {}): Promise<string> {
    const answer = this.#answer(question) || (initial ?? '');
    expect(check?.(String(answer)), question).toBeUndefined();
    return String(answer);
  }

  async secret(question: string): Promise<string> {
    return String(this.#answer(question));
  }

  async choose<T>(question: string, choices: readonly Choice<T>[]): Promise<T> {
    const answer = this.#answer(question);
    this.#keep(question, choices);
    return this.#find(choices, String(answer), question);
  }

  async chooseSeveral<T>(question: string, choices: readonly Choice<T>[]): Promise<T[]> {
    const answer = this.#answer(question);
    this.#keep(question, choices);
    if (answer === '') return choices.filter(({ isInitial }) => isInitial).map(({ value }) => value);
    return [answer].flat().map((one) => this.#find(choices, String(one), question));
  }

  async confirm(question: string): Promise<boolean> {
    return this.#answer(question) === true;
  }

  #answer(question: string): Scripted[1] {
    const [expected, answer = ''] = this.#script.shift() ?? [];
    expect(expected, `not expected: ${question}`).toBeDefined();
    expect(question).toContain(expected);
    if (answer === CTRL_C) throw new DeployError('interrupted', 'Interrupted.', { source: 'user' });
    return answer;
  }

  #keep(question: string, choices: readonly Choice<unknown>[]): void {
    this.offered.set(
      question,
      choices.map(({ label, hint }) => (hint === undefined ? label : `${label} (${hint})`)),
    );
  }

  #find<T>(choices: readonly Choice<T>[], part: string, question: string): T {
    const found = choices.find(({ label }) => label.includes(part));
    if (found === undefined) throw new Error(`${question}: there is no ${part}`);
    return found.value;
  }
}
