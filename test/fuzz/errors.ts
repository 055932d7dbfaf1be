import { DeployError, type ErrorSource } from '../../src/errors.js';
import { Broken, expectThat } from './target.js';

/** A message is read by people. With all its problems an error is shorter than this, in characters. */
const MAX_MESSAGE = 100_000;

/** Everything of an error that is shown. */
export function wordsOf(error: DeployError): string {
  const { problems = [] } = error as { problems?: { place: string; message: string; remedy: string }[] };
  const listed = problems.map(({ place, message, remedy }) => `${place}: ${message}; ${remedy}`);
  return [error.message, error.hint ?? '', ...listed].join('\n');
}

/** Passes for an error that is meant for people, from this source; any other one is thrown again. */
export function expectRefusal(error: unknown, source: ErrorSource): DeployError {
  if (!(error instanceof DeployError)) throw error;
  if (error.source !== source) throw new Broken(`the source is ${error.source}: ${error.message}`, { cause: error });
  expectThat(wordsOf(error).length <= MAX_MESSAGE, `the message has ${wordsOf(error).length} characters`);
  return error;
}
