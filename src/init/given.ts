/** What the options of `init` answer, and what follows where nobody can be asked. */
import {
  type Answers,
  ENVIRONMENTS,
  type EnvironmentName,
  type Fault,
  type Read,
  readApp,
  readPath,
  readRegistry,
  readTarget,
} from './answers.js';
import type { CiName } from './ci.js';
import { composeEntries, fileEntries } from './suggestions.js';
import type { Survey } from './survey.js';

export interface Given {
  app?: string;
  targets: Answers['targets'];
  compose?: readonly string[];
  files?: readonly string[];
  registry?: Answers['registry'];
  ci?: CiName | 'none';
}

/** As the command line has them. */
export interface GivenWords extends Partial<Record<EnvironmentName, string>> {
  app?: string;
  /** Empty if not given. */
  compose: readonly string[];
  files: readonly string[];
  registry?: string;
  ci?: CiName | 'none';
}

/** @param refuse throws, for an option with a value that is wrong */
export function readGiven(words: GivenWords, refuse: (option: string, fault: Fault) => never): Given {
  const answerTo = <T>(option: string, read: Read<T>): T =>
    read.fault === undefined ? read.answer : refuse(option, read.fault);
  const optional = <T>(option: string, text: string | undefined, read: (text: string) => Read<T>) =>
    text === undefined ? undefined : answerTo(option, read(text));
  const paths = (option: 'compose' | 'files', texts: readonly string[]) =>
    texts.length === 0 ? undefined : texts.map((text) => answerTo(option, readPath(option, text)));
  const targets = new Map(
    ENVIRONMENTS.flatMap((name) => {
      const target = optional(name, words[name], readTarget);
      return target === undefined ? [] : [[name, target] as const];
    }),
  );
  return {
    app: optional('app', words.app, readApp),
    targets,
    compose: paths('compose', words.compose),
    files: words.files.join() === 'none' ? [] : paths('files', words.files),
    registry: optional('registry', words.registry, readRegistry),
    ci: words.ci,
  };
}

/** Options that somebody has to give: neither the folder nor a default answers them. */
export function missingOptions(given: Given, survey: Survey): string[] {
  return [
    ...(given.targets.size === 0 ? ['production load_balancer=NAME'] : []),
    ...(given.compose === undefined && survey.composeBases.length === 0 ? ['compose FILE'] : []),
    ...(given.registry === undefined ? ['registry none'] : []),
  ];
}

/** Of options in which nothing is missing. */
export function answersFrom(given: Given, survey: Survey): Answers {
  const names = [...given.targets.keys()];
  const compose = given.compose ?? composeEntries(survey.composeBases[0] ?? '', names, survey);
  return {
    app: given.app ?? survey.app,
    targets: given.targets,
    compose,
    files: given.files ?? fileEntries(survey.needs(compose[0] ?? ''), names, survey),
    registry: given.registry ?? 'none',
    ...(given.ci !== undefined && given.ci !== 'none' && { ci: given.ci }),
  };
}
