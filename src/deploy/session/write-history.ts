/** The end of a run on each droplet: its line in history.jsonl and, after a success, the pruning of old releases. */

import { DeployError, reasonOf } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { releasesToRemove } from '../../rollout/keep-releases.js';
import type { DeployResult, HistoryEntry, ReleaseInfo } from '../../rollout/model.js';
import { repositoryOf, shortName } from '../core/image-reference.js';
import { errorLine } from '../core/output-lines.js';
import { warn } from '../core/report.js';
import { appFolder, command, quote, SECOND } from '../core/shell.js';
import { type Member, provenOn } from '../droplet/member.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import { variables } from '../release/compose-run.js';
import { RELEASE_LABEL } from '../release/one-off.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';
import { type Goal, goalFor } from './goal.js';

/** What to remove from a droplet: releases, images by id, and in these repositories all images that only do-deploy needed. */
type Removal = ReturnType<typeof releasesToRemove> & { repositories: string[] };

const NOTHING: Removal = { releases: [], images: [], repositories: [] };

/** More than an app's releases name. */
const MAX_REPOSITORIES = 100;

/** Bounds how much later a failed run ends because of its line in the history. */
const HISTORY_WITHIN_MS = 5_000;
const INTERRUPTED_WITHIN_MS = 2_000;

/** After rolling: never throws, because the deploy itself is done. What is not removed, the next deploy removes. */
export async function writeHistoryAndPrune(
  run: Run,
  members: readonly Member[],
  command: string,
  goal: Goal,
  result: DeployResult,
): Promise<void> {
  const line = historyLine(run, command, goal.release, result, members);
  const prune = async (member: Member) => {
    const release = goalFor(goal, member.droplet.id);
    const remove = result.outcome === 'succeeded' ? outdated(member, release, run.settings.keepReleases) : NOTHING;
    await run.lease.ensure(member.droplet.id);
    const { code, stderr } = await changeDroplet(member, finishCommand(release, run.id, line, remove));
    if (code === STAGING_ELSEWHERE) throw new DeployError('pulling', 'another deploy is bringing images there');
    if (code !== 0) throw new DeployError('finish-failed', errorLine(stderr, `exit code ${code}`));
  };
  await Promise.all(
    members
      .filter(({ droplet }) => goal.own?.has(droplet.id) ?? true)
      .map((member) =>
        prune(member).catch((error: unknown) => {
          const reason = reasonOf(error);
          const droplet = member.host.name;
          warn(
            run.ports,
            `Old releases stay on ${droplet} until the next deploy: ${reason.replace(/\.$/, '')}.`,
            droplet,
          );
        }),
      ),
  );
}

/** For a run that has rolled nothing. Never throws: a line that cannot be written is only missing. */
export async function writeHistory(
  run: Run,
  members: readonly Member[],
  command: string,
  release: ReleaseInfo,
  result: DeployResult,
): Promise<void> {
  const line = historyLine(run, command, release, result);
  const write = async (member: Member) => {
    await run.lease.ensure(member.droplet.id);
    await changeDroplet(member, writeHistoryCommand(run.settings.app, run.id, line));
  };
  await inTime(run, result, members.map(write));
}

/**
 * For a run that was stopped in the middle, or whose lock was broken or lost: the line is written without the lock, because
 * it changes nothing else and must not be missing. Never throws.
 */
export async function writeHistoryWithoutLock(
  run: Run,
  members: readonly Member[],
  command: string,
  release: ReleaseInfo,
  result: DeployResult,
): Promise<void> {
  const note = noteEndCommand(run.settings.app, historyLine(run, command, release, result, members));
  await inTime(
    run,
    result,
    members.map(({ connection }) => connection.run(note)),
  );
}

/** An interrupted run ends sooner: its user waits. */
async function inTime(
  { ports: { clock } }: Run,
  { outcome }: DeployResult,
  writing: Promise<unknown>[],
): Promise<void> {
  const done = new AbortController();
  const withinMs = outcome === 'interrupted' ? INTERRUPTED_WITHIN_MS : HISTORY_WITHIN_MS;
  await Promise.race([Promise.allSettled(writing), clock.sleep(withinMs, done.signal)]);
  done.abort();
}

/** @param rolled the droplets that took part in the rollout */
function historyLine(
  { ports, id: run, settings, deployer, confirmed = [] }: Run,
  command: string,
  { id, imageTag }: Pick<ReleaseInfo, 'id' | 'imageTag'>,
  { release: { commit, dirty }, rows, outcome, durationMs, probes, held, error }: DeployResult,
  rolled?: readonly Member[],
): string {
  const skipped = rows.filter((row) => row.outcome === 'skipped').map(({ name }) => name);
  const entry: HistoryEntry = {
    at: new Date(ports.clock.now()).toISOString(),
    run,
    environment: settings.environment,
    command,
    who: deployer.who,
    url: deployer.url,
    release: id,
    imageTag,
    commit,
    dirty,
    outcome,
    durationMs,
    probes: probes && { total: probes.total, failed: probes.failed },
    held: outcome === 'succeeded' ? held?.droplets : undefined,
    droplets: rolled?.map((member) => member.droplet.id),
    roles: rolled && rolesOf(rows, new Set(rolled.map((member) => member.droplet.id))),
    skipped: skipped.length > 0 ? skipped : undefined,
    confirmed: confirmed.length > 0 ? [...confirmed] : undefined,
    error: error && { code: error.code, droplet: error.droplet, step: error.step },
  };
  return JSON.stringify(entry);
}

/** Ids by role, of those that took part; undefined without roles. */
function rolesOf(rows: DeployResult['rows'], rolled: ReadonlySet<number>): HistoryEntry['roles'] {
  const roles = new Map<string, number[]>();
  for (const { id, role } of rows) {
    if (role !== undefined && rolled.has(id)) roles.set(role, [...(roles.get(role) ?? []), id]);
  }
  return roles.size === 0 ? undefined : Object.fromEntries(roles);
}

/** What the droplet no longer keeps. */
function outdated(member: Member, release: StoredRelease, keep: number): Removal {
  const { releases, state, current } = member.survey;
  // A reverted droplet runs another release than the one that was rolled out.
  const running = [release.id, current, state?.release];
  // Half-way, it is what ran before the current one.
  const earlier = state?.phase === 'switching' ? state.earlier : undefined;
  const old = releasesToRemove(
    releases.map(({ id, images }) => ({ id, images: Object.values(images).map(({ imageId }) => imageId) })),
    {
      keep,
      needed: [...running, state?.previous, earlier].flatMap((id) => id ?? []),
      proven: provenOn(member),
    },
  );
  return { ...old, repositories: repositoriesOf([release, ...releases]) };
}

/** As `docker image ls` shows them. Starting with a letter or digit, none passes for an option. */
function repositoriesOf(releases: readonly StoredRelease[]): string[] {
  const references = releases.flatMap(({ images }) => Object.values(images).map(({ reference }) => reference));
  const names = new Set(references.map((reference) => shortName(repositoryOf(reference))));
  return [...names].filter((name) => /^[a-z0-9][\w.:/-]*$/i.test(name)).slice(0, MAX_REPOSITORIES);
}

/** Exit code of start-up.sh prune and sweep while another app is being staged on the droplet. */
const STAGING_ELSEWHERE = 75;

/** Writes the history line, then removes. Exit code 75: nothing was removed, because another app is being staged. */
function finishCommand(release: StoredRelease, run: string, historyLine: string, remove: Removal): RemoteCommand {
  const { app, id } = release;
  const script = `releases/${quote(id)}/scripts/start-up.sh`;
  const startUp = `${variables(release, true)} sh ${script}`;
  const prune = [...remove.releases, ...remove.images].map(quote).join(' ');
  const oneOffs = [`com.docker.compose.project=${app}`, 'com.docker.compose.oneoff=True'];
  const sweep = remove.repositories.map(quote).join(' ');
  return command(
    'finish',
    { app, run, release: id, remove },
    [
      ...appendHistory(app, run, historyLine),
      // Left behind by runs that died while staging, at least a day ago.
      "find . releases -maxdepth 1 \\( -name 'incoming-*.tgz' -o -name '*.partial' \\) -mtime +0 -exec rm -rf {} + 2>/dev/null || :",
      'code=0',
      ...(prune
        ? [
            // A one-off container may have files of its release mounted.
            `ids=$(docker ps -q ${oneOffs.map((label) => `--filter ${quote(`label=${label}`)}`).join(' ')} || :)`,
            `used=$(docker inspect --format '{{index .Config.Labels "${RELEASE_LABEL}"}}' $ids 2>/dev/null || :)`,
            'set --',
            `for old in ${prune}; do if ! printf '%s\\n' "$used" | grep -qxF "$old"; then set -- "$@" "$old"; fi; done`,
            `if [ $# -gt 0 ]; then ${startUp} prune "$@" || code=$?; fi`,
          ]
        : []),
      // A script of the project's own, or of an older version of do-deploy, may not know the verb.
      sweep
        ? `if [ $code -ne ${STAGING_ELSEWHERE} ] && grep -q '^  sweep)' ${script}; then ${startUp} sweep ${sweep} || code=$?; fi`
        : undefined,
      'exit $code',
    ],
    { timeoutMs: 120 * SECOND, repeatable: false },
  );
}

/** Fails where the app was never deployed. */
function writeHistoryCommand(app: string, run: string, historyLine: string): RemoteCommand {
  return command('write-history', { app, run }, appendHistory(app, run, historyLine), { repeatable: false });
}

function noteEndCommand(app: string, historyLine: string): RemoteCommand {
  return command('note-end', { app }, ['set -eu', `cd ${appFolder(app)}`, appendLine(historyLine)], {
    repeatable: false,
  });
}

function appendHistory(app: string, run: string, historyLine: string): string[] {
  return ['set -eu', `cd ${appFolder(app)}`, asHolder(app, run), appendLine(historyLine)];
}

function appendLine(line: string): string {
  return `printf '%s\\n' ${quote(line)} >>history.jsonl`;
}
