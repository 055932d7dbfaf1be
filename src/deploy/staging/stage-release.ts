/**
 * Staging: everything that can be done while all droplets still serve. Connect, check, upload, pull, on all droplets in
 * parallel; a failure here has cost nothing, because nothing has left rotation and no container was touched.
 */

import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { firstLines, lastLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import { staged } from '../core/report.js';
import { changedFiles, loginTo, type Member, runsAlready } from '../droplet/member.js';
import { packFor } from '../release/archive.js';
import { imagesOverride } from '../release/digests.js';
import { type ReleaseDraft, storedReleaseOf } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { refuseTakenPorts } from './check-droplet.js';
import { type ComposeService, readComposeConfig } from './compose-config.js';
import { areThose, buildImages, pullByName, pullPinned } from './images.js';
import { prepareRelease } from './prepare-release.js';
import { fileNotFound, refuseCompose } from './refuse-compose.js';
import { discardCommand, incomingPath, sealCommand, unpackCommand } from './unpack-command.js';

const UPLOAD_WITHIN_MS = 10 * 60_000;

export interface Staged {
  record: StoredRelease;
  /** By droplet: it already runs these bytes, verified. */
  upToDate: Set<number>;
}

/**
 * Brings the release to every droplet. All pull at once; what the first one got is the release, and whoever got something
 * else, because a tag moved meanwhile, pulls exactly that.
 * Throws the first droplet's error, after having removed what was staged.
 */
export async function stageAll(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  members: readonly Member[],
): Promise<Staged> {
  if (members.length === 0) throw new DeployError('no-droplets', 'There is no droplet to deploy to.');
  try {
    const services = await uploadAll(ports, settings, draft, members);
    const brought = await inParallel(members, async (member) => {
      await prepareOn(ports, draft, member);
      const pulled = await staged(ports, member.host.name, 'pull', () => pullByName(settings, draft, member, services));
      return { pulled, built: await buildOn(ports, settings, draft, member, services) };
    });
    const builtBy = new Map(members.map((member, index) => [member, brought[index]?.built ?? {}]));
    const pulledBy = new Map(members.map((member, index) => [member, brought[index]?.pulled ?? {}]));
    let record = storedAs(draft, services, { ...brought[0]?.pulled, ...brought[0]?.built }, members);
    await inParallel(members, async (member) => {
      if (areThose(pulledBy.get(member) ?? {}, record)) return;
      const pulled = await staged(ports, member.host.name, 'pull', () => pullPinned(settings, draft, member, record));
      pulledBy.set(member, pulled);
    });
    if (isOutdated(record, builtBy)) record = storedReleaseOf(draft, record.services, record.images);
    await inParallel(members, (member) =>
      seal(draft, record, { ...pulledBy.get(member), ...builtBy.get(member) }, member),
    );
    return {
      record,
      // A file that somebody has edited was put right just now: its containers have yet to take it up.
      upToDate: new Set(
        members
          .filter((member) => runsAlready(member, record) && changedFiles(member).length === 0)
          .map((member) => member.droplet.id),
      ),
    };
  } catch (error) {
    await discardAll(draft, members);
    throw error;
  }
}

/** Brings a release whose images are known to droplets that lack it. Removes what was staged when it fails. */
export async function stagePinned(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  record: StoredRelease,
  members: readonly Member[],
): Promise<void> {
  try {
    const services = await uploadAll(ports, settings, draft, members);
    const imagesBy = await pullAndBuild(ports, settings, draft, record, services, members);
    await inParallel(members, (member) => seal(draft, record, imagesBy.get(member) ?? {}, member));
  } catch (error) {
    await discardAll(draft, members);
    throw error;
  }
}

/** @returns by droplet the images with the ids that they have there */
async function pullAndBuild(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  record: StoredRelease,
  services: readonly ComposeService[],
  members: readonly Member[],
): Promise<Map<Member, StoredRelease['images']>> {
  const brought = await inParallel(members, async (member) => {
    await prepareOn(ports, draft, member);
    const pulled = await staged(ports, member.host.name, 'pull', () => pullPinned(settings, draft, member, record));
    return [member, { ...pulled, ...(await buildOn(ports, settings, draft, member, services)) }] as const;
  });
  return new Map(brought);
}

async function discardAll({ app, id }: ReleaseDraft, members: readonly Member[]): Promise<void> {
  await Promise.allSettled(members.map((member) => member.connection.run(discardCommand(app, id))));
}

/** Runs the release's own script, where it has one. */
async function prepareOn(ports: DeployPorts, draft: ReleaseDraft, member: Member): Promise<void> {
  const { prepare } = draft;
  if (prepare !== undefined) {
    await staged(ports, member.host.name, 'prepare', () => prepareRelease(draft, prepare, member));
  }
}

/** Builds what is to be built; every droplet has images of its own. */
async function buildOn(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  member: Member,
  services: readonly ComposeService[],
): Promise<StoredRelease['images']> {
  if (!services.some((service) => service.built)) return {};
  return await staged(ports, member.host.name, 'build', () => buildImages(settings, draft, member, services));
}

/** Makes what was staged a release of the droplet, with the ids that its images have there. */
async function seal(
  draft: ReleaseDraft,
  record: StoredRelease,
  images: StoredRelease['images'],
  member: Member,
): Promise<void> {
  const own = { ...record, images: { ...record.images, ...images } };
  const held = member.survey.releases.find((release) => release.id === own.id);
  const renew = held !== undefined && hasOtherIds(held, own);
  await must(member, sealCommand(draft, own, imagesOverride(own.images), renew), 'seal-failed');
  // A release that was there before is kept, but with the ids that its images have now.
  if (held !== undefined && !renew) return;
  const others = member.survey.releases.filter((release) => release !== held);
  member.survey = { ...member.survey, releases: [...others, own] };
}

/** Another image store was switched on since: its ids differ for the same digests. */
function hasOtherIds(held: StoredRelease, own: StoredRelease): boolean {
  return Object.entries(own.images).some(
    ([service, { built, imageId }]) => !built && held.images[service]?.imageId !== imageId,
  );
}

/** The bytes may be there under another id, from an earlier run: then that is their id. */
function storedAs(
  draft: ReleaseDraft,
  services: ComposeService[],
  images: StoredRelease['images'],
  members: readonly Member[],
): StoredRelease {
  const specs = services.map(({ built: _, published: __, platform: ___, ...spec }) => spec);
  const record = storedReleaseOf(draft, specs, images);
  const same = members
    .flatMap((member) => member.survey.releases)
    .filter((known) => known.identity === record.identity);
  return same.sort((a, b) => (a.id < b.id ? 1 : -1))[0] ?? record;
}

/** Whether a droplet holds the release with other images, which were built earlier and may be gone: then it is another one. */
function isOutdated(record: StoredRelease, builtBy: ReadonlyMap<Member, StoredRelease['images']>): boolean {
  return [...builtBy].some(([member, built]) =>
    Object.entries(built).some(([service, { imageId }]) => {
      const held = member.survey.releases.find((release) => release.id === record.id);
      return held !== undefined && held.images[service]?.imageId !== imageId;
    }),
  );
}

async function uploadAll(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  members: readonly Member[],
): Promise<ComposeService[]> {
  // Droplets of a fleet mostly lack the same files: one archive serves them all.
  const archives = new Map<string, ReturnType<typeof packFor>>();
  const configs = await inParallel(members, (member) =>
    staged(ports, member.host.name, 'upload', async () => {
      const { found, current } = member.survey;
      const key = JSON.stringify([...found]);
      const packed = archives.get(key) ?? packFor(draft, found);
      archives.set(key, packed);
      const { archive, reused } = await packed;
      const path = incomingPath(draft.app, draft.id);
      await member.connection.upload({ path, content: archive, mode: 0o600, timeoutMs: UPLOAD_WITHIN_MS });
      const { stdout } = await must(member, unpackCommand(draft, current, reused), 'compose-config', draft);
      const services = readComposeConfig(stdout, { app: draft.app, build: settings.build === true });
      await refuseCompose(member, draft, stdout, settings);
      // Later on the ports are this app's own.
      if (member.survey.current === undefined) await refuseTakenPorts(member, draft.app, services);
      return services;
    }),
  );
  return configs[0] ?? [];
}

async function must(
  member: Member,
  command: Parameters<Member['connection']['run']>[0],
  code: string,
  draft?: ReleaseDraft,
) {
  const result = await member.connection.run(command);
  const missing = draft && fileNotFound(member.host.name, draft, result.stderr);
  if (result.code !== 0) throw missing ?? notStored(member, code, result.stderr);
  return result;
}

function notStored(member: Member, code: string, stderr: string): DeployError {
  const droplet = member.host.name;
  if (code === 'compose-config' && !/no space left/i.test(stderr)) {
    return new DeployError(code, `The release is not accepted on ${droplet}: ${firstLines(stderr)}`, {
      droplet,
      hint: 'Check the compose files: `docker compose config` says the same of them here.',
    });
  }
  return new DeployError(code, `The release cannot be stored on ${droplet}: ${lastLine(stderr)}`, {
    droplet,
    hint: `Check the disk of the droplet: ${loginTo(member)} df -h`,
  });
}
