import { DeployError } from '../errors.js';

/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Where: `config/deploy.yml:12`, a file, or the name of a variable. */
  place: string;
  /** What is wrong. */
  message: string;
  /** What to write or type instead. */
  remedy: string;
}

/** Everything that is wrong with the configuration, at once: nobody should have to fix it one run at a time. */
export class ConfigError extends DeployError {
  override readonly name = 'ConfigError';
  readonly problems: Problem[];
  /** What has the problems: "config/deploy.yml". */
  readonly subject: string;

  constructor(subject: string, problems: Problem[]) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super('config', `${subject} has ${count}.`, {
      source: 'user',
      hint: 'correct this and run it again; nothing was contacted or changed',
    });
    this.subject = subject;
    this.problems = problems;
  }
}

/** Gathers problems, each once, in the order in which they were found. */
export class ProblemList {
  readonly #problems = new Map<string, Problem>();

  add(place: string, message: string, remedy: string): void {
    const key = `${place}\n${message}`;
    if (!this.#problems.has(key)) this.#problems.set(key, { place, message, remedy });
  }

  get isEmpty(): boolean {
    return this.#problems.size === 0;
  }

  /** As an error about `subject`, "config/deploy.yml" for example; problems of the file come by line. */
  toError(subject: string): ConfigError {
    const problems = [...this.#problems.values()];
    const lineOf = ({ place }: Problem) => Number(/:(\d+)$/.exec(place)?.[1] ?? Number.POSITIVE_INFINITY);
    return new ConfigError(
      subject,
      problems.sort((a, b) => {
        const [first, second] = [lineOf(a), lineOf(b)];
        return first === second ? 0 : first - second;
      }),
    );
  }
}
