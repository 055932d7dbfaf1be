import { DeployError } from '../errors.js';

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Where: `config/deploy.yml:12`, a file, or the name of a variable. */
  place: string;
  /** What is wrong. */
  message: string;
  /** What to write or type instead. */
  remedy: string;
  /** Of which kind it is, where that is of use to others. */
  kind?: ProblemKind;
}

export type ProblemKind = 'file-missing' | 'file-encrypted' | 'variable-missing' | 'variable-blank';

/** Problems that are listed; of further ones only the number. */
const MAX_LISTED = 20;
/** Problems that are kept, to list those of the first lines. */
const MAX_KEPT = 500;

/** Everything that is wrong with the configuration, so that it takes one run to find out. */
export class ConfigError extends DeployError {
  override readonly name = 'ConfigError';
  /** At most 20; where there are more, another one says how many. */
  readonly problems: Problem[];
  /** What has the problems: "config/deploy.yml". */
  readonly subject: string;

  constructor(subject: string, problems: Problem[], total = problems.length) {
    super('config', `${subject} has ${total === 1 ? 'a problem' : `${total} problems`}.`, {
      source: 'user',
      hint: 'fix this and run it again; nothing was contacted or changed',
    });
    this.subject = subject;
    this.problems = problems.slice(0, MAX_LISTED);
    const more = total - this.problems.length;
    if (more > 0) this.problems.push({ place: subject, message: `${more} more`, remedy: 'fix the ones above first' });
  }
}

/** Collects problems, each once. */
export class ProblemList {
  readonly #problems = new Map<string, Problem>();
  #more = 0;

  add(place: string, message: string, remedy: string, kind?: ProblemKind): void {
    const key = `${place}\n${message}`;
    if (this.#problems.has(key)) return;
    if (this.isFull) this.#more += 1;
    else this.#problems.set(key, { place, message, remedy, ...(kind && { kind }) });
  }

  /** Counts problems without their text, once `isFull`. */
  addUnlisted(count: number): void {
    this.#more += count;
  }

  get isFull(): boolean {
    return this.#problems.size >= MAX_KEPT;
  }

  get isEmpty(): boolean {
    return this.#problems.size === 0;
  }

  /** As an error about `subject`, "config/deploy.yml" for example; problems of that file come first, by line. */
  toError(subject: string): ConfigError {
    const problems = [...this.#problems.values()];
    const lineOf = ({ place }: Problem) =>
      place.startsWith(`${subject}:`) ? Number(place.slice(subject.length + 1)) : Number.POSITIVE_INFINITY;
    problems.sort((a, b) => {
      const [first, second] = [lineOf(a), lineOf(b)];
      return first === second ? 0 : first - second;
    });
    return new ConfigError(subject, problems, problems.length + this.#more);
  }
}
