/** What the registry says of the images of a project. */
import { readArchitectures } from '../staging/room-command.js';
import type { ProjectAnswer } from './project-command.js';

export interface ImageFacts {
  /** What the registry said when it refused the login; absent: it did not. */
  loginRefused?: string;
  /** By image: the processors that it is built for; undefined where the registry does not show it. */
  architectures: ReadonlyMap<string, readonly string[] | undefined>;
}

/** Undefined where no registry was asked. */
export function readImageFacts(answer: ProjectAnswer, images: readonly string[]): ImageFacts | undefined {
  if (answer.loginRefused !== undefined) return { loginRefused: answer.loginRefused, architectures: new Map() };
  return answer.isAsked ? { architectures: readArchitectures(answer.stdout, images) } : undefined;
}
