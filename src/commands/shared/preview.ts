/** What a rollout would change, for a user who is about to confirm it. */
import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../../deploy/core/deploy-ports.js';
import { DeployError } from '../../errors.js';
import type { CommitRange, Repository } from '../../ports.js';
import { versionWords } from '../../reporters/phrases.js';
import { count } from '../../reporters/text.js';
import { batchCount } from '../../rollout/batches.js';
import { shortHash } from '../../rollout/commit.js';
import type { CommitInfo, StatusRow } from '../../rollout/model.js';

/** Subjects shown of the commits between two releases. */
const SUBJECTS = 5;

/** The release to roll out. */
type Version = { imageTag: string } & Partial<CommitInfo>;

/** If the fleet cannot be read, a line says so. */
export async function previewLines(
  ports: DeployPorts,
  settings: Settings,
  next: Version,
  repository?: Repository,
): Promise<string[]> {
  const { readStatus } = await import('../../deploy/inspect/read-status.js');
  let rows: StatusRow[];
  try {
    rows = await readStatus(ports, settings);
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    return [`  now    unknown: ${error.message}`, `  new    ${versionWords(next)}`];
  }
  return describeChange(rows, next, settings, repository);
}

/** What runs now, what will, the commits between them, and how the fleet gets there. */
export function describeChange(
  rows: readonly StatusRow[],
  next: Version,
  settings: Pick<Settings, 'rollout' | 'roles'>,
  repository?: Pick<Repository, 'commitsBetween'>,
): string[] {
  const commits = new Set(rows.flatMap(({ commit }) => commit ?? []));
  const [current] = commits.size === 1 ? commits : [];
  return [
    ...currentLines(rows),
    `  new    ${versionWords(next)}`,
    ...commitLines(repository, current, next.commit),
    fleetLine(rows, settings),
  ];
}

function currentLines(rows: readonly StatusRow[]): string[] {
  const groups = new Map<string, string[]>();
  for (const row of rows) {
    const version = versionOf(row);
    groups.set(version, [...(groups.get(version) ?? []), row.name]);
  }
  const [first, ...others] = groups;
  if (first === undefined) return [];
  if (others.length === 0) return [`  now    ${first[0]}`];
  return [...groups].map(
    ([version, names], index) => `  ${index === 0 ? 'now' : '   '}    ${version} on ${few(names)}`,
  );
}

function versionOf({ imageTag, commit, dirty, health, release }: StatusRow): string {
  if (imageTag !== undefined) return versionWords({ imageTag, commit, dirty });
  return release === '' && health === 'unknown' ? 'unknown (not reachable)' : 'nothing that do-deploy deployed';
}

function few(names: readonly string[]): string {
  return names.length > 3 ? count(names.length, 'droplet') : names.join(', ');
}

function commitLines(
  repository: Pick<Repository, 'commitsBetween'> | undefined,
  from: string | undefined,
  to: string | undefined,
): string[] {
  if (repository === undefined || from === undefined || to === undefined || from === to) return [];
  const [ahead, back] = [repository.commitsBetween(from, to, SUBJECTS), repository.commitsBetween(to, from, SUBJECTS)];
  return [
    ...rangeLines(ahead, (commits) => `${commits} ahead`),
    ...rangeLines(back, (commits) => `without ${commits} that run now`),
  ];
}

function rangeLines(range: CommitRange | undefined, title: (commits: string) => string): string[] {
  if (range === undefined || range.total === 0) return [];
  const more = range.total - range.newest.length;
  return [
    `         ${title(count(range.total, 'commit'))}:`,
    ...range.newest.map(({ commit, subject }) => `           ${shortHash(commit)} ${subject}`),
    ...(more > 0 ? [`           and ${more} more`] : []),
  ];
}

function fleetLine(rows: readonly StatusRow[], { rollout, roles }: Pick<Settings, 'rollout' | 'roles'>): string {
  const inRole = (name: string) => rows.filter(({ role }) => role === name).length;
  const counts = roles?.map(({ name, batch }) => batchCount(batch ?? rollout.batch, inRole(name)));
  const batches = counts?.reduce((sum, one) => sum + one, 0) ?? batchCount(rollout.batch, rows.length);
  const out = rows.filter(({ rotation }) => rotation === 'out' || rotation === 'unknown');
  const sick = rows.filter(({ health }) => health !== 'healthy');
  return [
    `  fleet  ${count(rows.length, 'droplet')}`,
    batches === 1 ? 'in one batch' : `in ${batches} batches`,
    ...(out.length > 0 ? [`out of rotation: ${few(out.map(({ name }) => name))}`] : []),
    ...(sick.length > 0 ? [`not healthy: ${few(sick.map(({ name }) => name))}`] : []),
  ].join(', ');
}
