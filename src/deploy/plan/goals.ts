/** Where a deploy or rollback goes: the release that each droplet would get. */
import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { currentRelease, type Member, needsNothing, runsAlready } from '../droplet/member.js';
import { canaryOn } from '../fleet/canary-record.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { settingsOfRoles } from '../fleet/role-settings.js';
import { draftRelease, releaseId } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { releasesToGoBackTo } from '../rollouts/release-before.js';
import { refuseBesideCanary } from '../rollouts/rollback.js';
import { mostCommonBy } from '../staging/most-common.js';
import { logInTo, type RegistryLogin } from '../staging/registry-login.js';
import { readDigests } from '../staging/room-command.js';
import { roomOn } from './ask-registry.js';
import type { Findings } from './findings.js';
import type { PlanOptions } from './plan-options.js';
import { readTexts, type Wanted, wantedOfDraft, wantedOfRelease } from './wanted.js';

export interface Goal {
  wantedBy(member: Member): Promise<Wanted>;
  isUpToDate(member: Member): boolean;
  digests: ReadonlyMap<string, string>;
  /** The images that a pull has to bring; none for a rollback. */
  images: readonly string[];
  release: StoredRelease | undefined;
  /** With which the droplets ask for them. */
  login?: RegistryLogin | undefined;
}

/** Where each role goes; undefined where a rollback has nothing to go back to. */
export async function goalsOf(
  ports: DeployPorts,
  options: PlanOptions,
  fleets: readonly Fleet[],
  reached: readonly (readonly Member[])[],
  recorded: readonly { anchored: readonly { sequence: number; hash: string }[]; canaries: readonly string[] }[],
  found: Findings,
): Promise<Goal[] | undefined> {
  const { settings, command } = options;
  if (command === 'deploy') {
    const own = settingsOfRoles(settings);
    return await Promise.all(
      fleets.map((_, index) => deployGoal(ports, options, own[index] ?? settings, reached[index] ?? [])),
    );
  }
  const sources = fleets.map((fleet, index) => ({
    fleet,
    members: reached[index] ?? [],
    recorded: recorded[index] ?? { anchored: [], canaries: [] },
  }));
  return await found.unlessRefused(async () => {
    for (const { members, recorded: known } of sources) {
      refuseBesideCanary(canaryOn(members, known.canaries), options);
    }
    const releases = await releasesToGoBackTo(
      sources.filter(({ members }) => members.length > 0),
      options,
    );
    const [first] = releases;
    let next = 0;
    return sources.map(({ members }): Goal => {
      const release = members.length > 0 ? (releases[next++] ?? first) : first;
      if (release === undefined) throw new Error('an environment has at least one target');
      return {
        wantedBy: (member) => wantedOfRelease(member, release),
        isUpToDate: (member) => runsAlready(member, release),
        digests: new Map(),
        images: [],
        release,
      };
    });
  });
}

async function deployGoal(
  ports: DeployPorts,
  { imageTag, commit, force, read }: PlanOptions,
  settings: Settings,
  members: readonly Member[],
): Promise<Goal> {
  const now = ports.clock.now();
  const origin = { createdAt: new Date(now).toISOString(), createdBy: '' };
  const draft = await draftRelease(
    { id: releaseId(now, imageTag), imageTag, ...commit },
    origin,
    settings,
    ports.files,
  );
  const wanted = wantedOfDraft(draft);
  const texts = await readTexts(wanted);
  const project = read.project({ ...draft, textOf: (path) => texts.get(path) });
  const images = [...new Set([...(project?.values() ?? [])].flatMap(({ image }) => image ?? []))];
  const login = images.length === 0 ? undefined : await logInTo(ports, settings);
  const asker = members.find((member) => currentRelease(member) !== undefined);
  const digests = asker === undefined ? new Map<string, string>() : await askRegistry(asker, login, images);
  const isSame = (one: StoredRelease) =>
    one.content === draft.content &&
    Object.values(one.images).every(({ reference, pinned, built }) => {
      const digest = built ? undefined : digests.get(reference);
      return digest === undefined || pinned.endsWith(`@${digest}`);
    });
  const same = members.flatMap((member) => currentRelease(member) ?? []).filter(isSame);
  const release = mostCommonBy(same, ({ id }) => id);
  return {
    wantedBy: async () => wanted,
    isUpToDate: (member) => !force && release !== undefined && needsNothing(member, release),
    digests,
    images,
    login,
    release,
  };
}

async function askRegistry(
  member: Member,
  login: RegistryLogin | undefined,
  images: readonly string[],
): Promise<Map<string, string>> {
  const answer = await roomOn(member, login, images);
  return answer === undefined ? new Map() : readDigests(answer, images);
}
