import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { capital } from '../core/sentences.js';
import { loginTo, type Member } from '../droplet/member.js';
import type { ReleaseDraft } from '../release/draft.js';
import { addToFiles, checkCompose, missingFile } from './check-compose.js';
import { needsCommand, readMissingNeeds } from './compose-needs.js';

/**
 * Refuses a release whose compose project would lose data or not start on the droplet.
 * @param stdout of `docker compose config --format json` on the droplet
 * Throws DeployError compose-writable-bind, compose-file-missing, compose-port-clash, container-name-replicas,
 * compose-network-missing, compose-volume-missing, compose-path-missing or container-name-taken: the code of the first problem, with the messages and remedies of all.
 */
export async function refuseCompose(
  member: Member,
  draft: ReleaseDraft,
  stdout: string,
  settings: Pick<Settings, 'build' | 'target' | 'rollout' | 'config'>,
): Promise<void> {
  const { problems, needs } = checkCompose(stdout, {
    id: draft.id,
    files: draft.files.map(({ path }) => path),
    shared: draft.shared ?? [],
    prepared: draft.prepare !== undefined,
    build: settings.build === true,
    replicas: replicasIn(settings),
    ...(settings.config !== undefined && { config: settings.config }),
  });
  await refuse(member, draft, problems);

  const ask = needsCommand(draft.app, needs);
  if (ask === undefined) return;
  const answer = await member.connection.run(ask);
  const missing = readMissingNeeds(answer.stdout, needs).map(({ code, message, fix, remedy, at }) => {
    const run = fix === undefined ? [] : [`Run: ${loginTo(member)} ${fix}.`];
    return { code, message: `${message} on ${member.host.name}`, remedy: [...run, remedy ?? []].flat().join(' '), at };
  });
  await refuse(member, draft, missing);
}

function replicasIn({ target, rollout }: Pick<Settings, 'target' | 'rollout'>) {
  const replicas = target.kind === 'droplet' ? target.replicas : undefined;
  return replicas && { services: replicas.services, asked: rollout.healthHttp !== undefined };
}

interface Problem {
  code: string;
  message: string;
  remedy: string;
  at: string[];
}

async function refuse(member: Member, draft: ReleaseDraft, problems: readonly Problem[]): Promise<void> {
  const [first] = problems;
  if (first === undefined) return;
  const { findPlace } = await import('./compose-places.js');
  const files = draft.composeFiles.flatMap((path) => draft.files.find((file) => file.path === path) ?? []);
  const texts = await Promise.all(
    files.map(async ({ path, read }) => ({ path, text: (await read()).toString('utf8') })),
  );
  const messages = problems.map(({ message, at }) => {
    const place = findPlace(texts, at);
    return place === undefined ? capital(message) : `${place}: ${message}`;
  });
  throw new DeployError(first.code, `${messages.join('; ')}.`, {
    source: 'user',
    droplet: member.host.name,
    hint: [...new Set(problems.map(({ remedy }) => remedy))].join(' '),
  });
}

/** The refusal of compose files that name a file which the release lacks; undefined for another message of compose. */
export function fileNotFound(
  droplet: string,
  draft: ReleaseDraft,
  stderr: string,
  of: Pick<Settings, 'config'>,
): DeployError | undefined {
  const path = missingFile(stderr, draft);
  if (path === undefined) return undefined;
  const message = `The compose files use ${path}, which is not among the release's files.`;
  return new DeployError('compose-file-missing', message, { source: 'user', droplet, hint: addToFiles(path, of) });
}
