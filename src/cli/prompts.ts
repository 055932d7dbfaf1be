/** The questions of a set-up at the terminal, with lists to choose from. Only commands that ask load it. */
import {
  type CANCEL_SYMBOL,
  confirm,
  isCancel,
  multiselect,
  type Option,
  password,
  select,
  text,
} from '@clack/prompts';
import { DeployError } from '../errors.js';
import type { Choice, Prompts } from '../ports.js';
import type { Streams } from './screen.js';

/** Choices on the screen at a time; the others scroll. */
const MAX_CHOICES = 10;

export interface PromptOptions {
  streams: Pick<Streams, 'stdin' | 'stdout'>;
  /** Text of others, without secrets and control sequences. */
  clean(text: string): string;
  /** Masks the text from now on. */
  hide(secret: string): void;
}

export function createPrompts({ streams, clean, hide }: PromptOptions): Prompts {
  /** Ctrl-C, Escape and a terminal that goes away end the command. */
  async function ask<T>(question: (common: Common) => Promise<T | typeof CANCEL_SYMBOL>): Promise<T> {
    const { stdin, stdout } = streams;
    const gone = new AbortController();
    const leave = () => gone.abort();
    // In raw mode Ctrl-D is a key like any other.
    const onKey = (_: string | undefined, key?: { name?: string; ctrl?: boolean }) => {
      if (key?.ctrl === true && key.name === 'd') leave();
    };
    stdin.once('end', leave).once('close', leave).on('keypress', onKey);
    try {
      const input = stdin as unknown as Common['input'];
      const answer = await question({ input, output: stdout as Common['output'], signal: gone.signal });
      if (!isCancel(answer)) return answer;
    } finally {
      stdin.off('end', leave).off('close', leave).off('keypress', onKey);
    }
    throw new DeployError('interrupted', 'Interrupted before anything was written.', { source: 'user' });
  }

  function options<T>(choices: readonly Choice<T>[]): Option<number>[] {
    return choices.map(({ label, hint }, value) => ({
      value,
      label: clean(label),
      ...(hint !== undefined && { hint: clean(hint) }),
    }));
  }

  return {
    text: async (message, { initial, check } = {}) => {
      const validate = (value: string | undefined) => check?.((value ?? '').trim());
      const answer = await ask((common) =>
        text({ ...common, message: clean(message), initialValue: initial, validate }),
      );
      return (answer ?? '').trim();
    },
    async secret(message, { check } = {}) {
      const validate = (value: string | undefined) => check?.((value ?? '').trim());
      const answer = ((await ask((common) => password({ ...common, message: clean(message), validate }))) ?? '').trim();
      if (answer !== '') hide(answer);
      return answer;
    },
    async choose<T>(message: string, choices: readonly Choice<T>[], initial?: T) {
      const index = choices.findIndex(({ value }) => value === initial);
      const initialValue = Math.max(0, index);
      const chosen = await ask<number>((common) =>
        select({ ...common, message: clean(message), options: options(choices), initialValue, maxItems: MAX_CHOICES }),
      );
      return (choices[chosen] as Choice<T>).value;
    },
    async chooseSeveral<T>(message: string, choices: readonly Choice<T>[], { required }: { required: boolean }) {
      const initialValues = choices.flatMap(({ isInitial }, index) => (isInitial ? [index] : []));
      const chosen = await ask<number[]>((common) =>
        multiselect({
          ...common,
          message: clean(message),
          options: options(choices),
          initialValues,
          required,
          maxItems: MAX_CHOICES,
        }),
      );
      return choices.filter((_, index) => chosen.includes(index)).map(({ value }) => value);
    },
    confirm: (message, initialValue) => ask((common) => confirm({ ...common, message: clean(message), initialValue })),
  };
}

type Common = Required<Pick<Parameters<typeof text>[0], 'input' | 'output' | 'signal'>>;
