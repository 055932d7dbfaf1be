/** What droplets and registries say of the images of a project. */
import { z } from 'zod';
import { repositoryOf, shortName } from '../core/image-reference.js';
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

const inspected = z.array(
  z.object({
    RepoTags: z.array(z.string()).nullish(),
    RepoDigests: z.array(z.string()).nullish(),
    Config: z.object({ Healthcheck: z.object({ Test: z.array(z.string()).nullish() }).nullish() }).nullish(),
  }),
);

/** Those of the images that the droplet has, and that have a healthcheck of their own. */
export function readCheckedImages({ inspected: printed }: ProjectAnswer, images: readonly string[]): Set<string> {
  let found: z.infer<typeof inspected>;
  try {
    found = inspected.parse(JSON.parse(printed));
  } catch {
    return new Set();
  }
  const checked = found.filter(({ Config }) => {
    const test = Config?.Healthcheck?.Test ?? [];
    return test.length > 0 && test[0] !== 'NONE';
  });
  const names = new Set(checked.flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])]));
  return new Set(images.filter((image) => namesOf(image).some((name) => names.has(name))));
}

/** As compose files write it, and as Docker shows it. */
function namesOf(image: string): string[] {
  const repository = repositoryOf(image);
  const rest = image.slice(repository.length).replace(/^:[^@]+(?=@)/, '') || ':latest';
  return [`${repository}${rest}`, `${shortName(repository)}${rest}`];
}
