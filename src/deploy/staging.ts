/**
 * Staging: everything that can be done while all droplets still serve. Connect, check, upload, pull, on all droplets in
 * parallel; a failure here has cost nothing, because nothing has left rotation and no container was touched.
 */
import pLimit from 'p-limit';
import type { Settings } from '../config/settings.js';
import { asDeployError, DeployError } from '../errors.js';
import type { Droplet } from '../ports.js';
import type { StagingStep } from '../rollout/model.js';
import { loginTo, otherEnvironment, refuseTakenPorts } from './check-site.js';
import { type DeployPorts, reportTo } from './context.js';
import { areThose, buildImages, firstLines, lastLine, pullByName, pullPinned } from './images.js';
import { prepareRelease } from './prepare.js';
import { imagesOverride, packFor, type ReleaseDraft, type ReleaseRecord, recordOf } from './release.js';
import { type ComposeService, readComposeConfig } from './remote/compose-config.js';
import { discardCommand, incomingPath, sealCommand, unpackCommand } from './remote/release-commands.js';
import { ownPart, readSurvey, surveyCommand } from './remote/survey.js';
import {
  addressOf,
  changedFiles,
  currentRelease,
  NOTHING_KNOWN,
  ownRecord,
  type Site,
  type Unreachable,
} from './site.js';
import { together } from './together.js';

/** Connections and pulls at the same time; more only makes the registry and this machine the bottleneck. */
const AT_ONCE = 20;
const UPLOAD_WITHIN_MS = 10 * 60_000;

export interface Staged {
  record: ReleaseRecord;
  /** By droplet: it already runs these bytes, verified. */
  upToDate: Set<number>;
}

/** Connects to each droplet. Never throws for a single one: it is told as unreachable. */
export async function connectAll(
  ports: DeployPorts,
  settings: Settings,
  droplets: readonly Droplet[],
): Promise<{ sites: Site[]; unreachable: Unreachable[] }> {
  const limit = pLimit(AT_ONCE);
  const sites: Site[] = [];
  const unreachable: Unreachable[] = [];
  await Promise.all(
    droplets.map((droplet) =>
      limit(async () => {
        try {
          sites.push(await staged(ports, droplet.name, 'connect', () => connect(ports, settings, droplet)));
        } catch (error) {
          unreachable.push({
            droplet,
            error: asDeployError(error).at({ droplet: droplet.name, step: 'connect' }),
          });
        }
      }),
    ),
  );
  return { sites: sites.sort((a, b) => a.droplet.id - b.droplet.id), unreachable };
}

async function connect(ports: DeployPorts, settings: Settings, droplet: Droplet): Promise<Site> {
  const address = addressOf(droplet, settings.ssh.address);
  if (address === undefined) {
    throw new DeployError('no-address', `${droplet.name} has no ${settings.ssh.address} address.`, {
      source: 'user',
      hint: `Set ssh.address: ${settings.ssh.address === 'public' ? 'private' : 'public'} in config/deploy.yml.`,
    });
  }
  const host = { id: droplet.id, name: droplet.name, address };
  const connection = await ports.shell.connect(host);
  return { droplet, host, connection, survey: NOTHING_KNOWN, containers: [], services: [] };
}

/**
 * Takes the survey of each droplet: under the lease, or another run changes meanwhile what it says.
 * @param prepare also makes the app's folder
 * @param each told of each droplet, for a check of what was found
 */
export async function surveyAll(
  ports: DeployPorts,
  settings: Pick<Settings, 'app' | 'environment'>,
  sites: readonly Site[],
  options: { prepare: boolean; each?: (site: Site) => string },
): Promise<void> {
  await inParallel(sites, (site) =>
    staged(ports, site.host.name, 'check', async () => {
      await survey(site, settings, options.prepare);
      const collision = otherEnvironment(site, settings);
      if (collision !== undefined) throw collision;
      return options.each?.(site);
    }),
  );
}

/** Takes the survey of each droplet quietly, before the lease: for what no run of this environment changes. */
export async function surveyEach(
  sites: readonly Site[],
  settings: Pick<Settings, 'app' | 'environment'>,
): Promise<void> {
  await inParallel(sites, (site) => survey(site, settings, false));
}

export async function survey(
  site: Site,
  { app, environment }: Pick<Settings, 'app' | 'environment'>,
  prepare: boolean,
): Promise<void> {
  const { stdout } = await site.connection.run(surveyCommand(app, prepare));
  site.survey = ownPart(readSurvey(stdout), environment);
  site.containers = site.survey.containers?.containers ?? [];
  site.services = currentRelease(site)?.services ?? [];
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
  sites: readonly Site[],
): Promise<Staged> {
  if (sites.length === 0) throw new DeployError('no-droplets', 'There is no droplet to deploy to.');
  try {
    const services = await uploadAll(ports, settings, draft, sites);
    const brought = await inParallel(sites, async (site) => {
      await prepareOn(ports, draft, site);
      const pulled = await staged(ports, site.host.name, 'pull', () => pullByName(settings, draft, site, services));
      return { pulled, built: await buildOn(ports, settings, draft, site, services) };
    });
    const builtBy = new Map(sites.map((site, index) => [site, brought[index]?.built ?? {}]));
    let record = recordAs(draft, services, { ...brought[0]?.pulled, ...brought[0]?.built }, sites);
    await inParallel(sites, async (site) => {
      if (areThose(brought[sites.indexOf(site)]?.pulled ?? {}, record)) return;
      await staged(ports, site.host.name, 'pull', () => pullPinned(settings, draft, site, record));
    });
    if (isOutdated(record, builtBy)) record = recordOf(draft, record.services, record.images);
    await inParallel(sites, (site) => seal(draft, record, builtBy.get(site) ?? {}, site));
    return {
      record,
      // A file that somebody has edited was put right just now: its containers have yet to take it up.
      upToDate: new Set(
        sites
          .filter((site) => runsAlready(site, record) && changedFiles(site).length === 0)
          .map((site) => site.droplet.id),
      ),
    };
  } catch (error) {
    await discardAll(draft, sites);
    throw error;
  }
}

/** Brings a release whose images are known to droplets that lack it. Removes what was staged when it fails. */
export async function stagePinned(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  record: ReleaseRecord,
  sites: readonly Site[],
): Promise<void> {
  try {
    const services = await uploadAll(ports, settings, draft, sites);
    const builtBy = await pullAndBuild(ports, settings, draft, record, services, sites);
    await inParallel(sites, (site) => seal(draft, record, builtBy.get(site) ?? {}, site));
  } catch (error) {
    await discardAll(draft, sites);
    throw error;
  }
}

/** @returns what was built, by droplet */
async function pullAndBuild(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  record: ReleaseRecord,
  services: readonly ComposeService[],
  sites: readonly Site[],
): Promise<Map<Site, ReleaseRecord['images']>> {
  const built = await inParallel(sites, async (site) => {
    await prepareOn(ports, draft, site);
    await staged(ports, site.host.name, 'pull', () => pullPinned(settings, draft, site, record));
    return [site, await buildOn(ports, settings, draft, site, services)] as const;
  });
  return new Map(built);
}

async function discardAll({ app, id }: ReleaseDraft, sites: readonly Site[]): Promise<void> {
  await Promise.allSettled(sites.map((site) => site.connection.run(discardCommand(app, id))));
}

/** Runs the release's own script, where it has one. */
async function prepareOn(ports: DeployPorts, draft: ReleaseDraft, site: Site): Promise<void> {
  const { prepare } = draft;
  if (prepare !== undefined) {
    await staged(ports, site.host.name, 'prepare', () => prepareRelease(draft, prepare, site));
  }
}

/** Builds what is to be built; every droplet has images of its own. */
async function buildOn(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  site: Site,
  services: readonly ComposeService[],
): Promise<ReleaseRecord['images']> {
  if (!services.some((service) => service.built)) return {};
  return await staged(ports, site.host.name, 'build', () => buildImages(settings, draft, site, services));
}

/** Makes what was staged a release of the droplet, with the images that were built there. */
async function seal(
  draft: ReleaseDraft,
  record: ReleaseRecord,
  built: ReleaseRecord['images'],
  site: Site,
): Promise<void> {
  const own = { ...record, images: { ...record.images, ...built } };
  await must(site, sealCommand(draft, own, imagesOverride(own.images)), 'seal-failed');
  // One that was there before stays as it was.
  if (site.survey.releases.some((release) => release.id === own.id)) return;
  site.survey = { ...site.survey, releases: [...site.survey.releases, own] };
}

/** The bytes may be there under another id, from an earlier run: then that is their id. */
function recordAs(
  draft: ReleaseDraft,
  services: ComposeService[],
  images: ReleaseRecord['images'],
  sites: readonly Site[],
): ReleaseRecord {
  const specs = services.map(({ built: _built, published: _published, ...spec }) => spec);
  const record = recordOf(draft, specs, images);
  const same = sites.flatMap((site) => site.survey.releases).filter((known) => known.identity === record.identity);
  return same.sort((a, b) => (a.id < b.id ? 1 : -1))[0] ?? record;
}

/** Whether a droplet holds the release with other images, which were built earlier and may be gone: then it is another one. */
function isOutdated(record: ReleaseRecord, builtBy: ReadonlyMap<Site, ReleaseRecord['images']>): boolean {
  return [...builtBy].some(([site, built]) =>
    Object.entries(built).some(([service, { imageId }]) => {
      const held = site.survey.releases.find((release) => release.id === record.id);
      return held !== undefined && held.images[service]?.imageId !== imageId;
    }),
  );
}

/** Whether the droplet runs these bytes, verified. */
export function runsAlready(site: Site, record: ReleaseRecord): boolean {
  const { survey, containers } = site;
  const { state } = survey;
  if (survey.current !== record.id || state?.release !== record.id || state.phase !== 'verified') return false;
  return Object.entries(ownRecord(site, record).images).every(([service, image]) => {
    const own = containers.filter((container) => container.service === service);
    return own.length > 0 && own.every((container) => container.imageId === image.imageId);
  });
}

async function uploadAll(
  ports: DeployPorts,
  settings: Settings,
  draft: ReleaseDraft,
  sites: readonly Site[],
): Promise<ComposeService[]> {
  // Droplets of a fleet mostly lack the same files: one archive serves them all.
  const archives = new Map<string, ReturnType<typeof packFor>>();
  const configs = await inParallel(sites, (site) =>
    staged(ports, site.host.name, 'upload', async () => {
      const { found, current } = site.survey;
      const key = JSON.stringify([...found]);
      const packed = archives.get(key) ?? packFor(draft, found);
      archives.set(key, packed);
      const { archive, reused } = await packed;
      const path = incomingPath(draft.app, draft.id);
      await site.connection.upload({ path, content: archive, mode: 0o600, timeoutMs: UPLOAD_WITHIN_MS });
      const { stdout } = await must(site, unpackCommand(draft, current, reused), 'compose-config');
      const services = readComposeConfig(stdout, { app: draft.app, build: settings.build === true });
      // Later on the ports are this app's own.
      if (site.survey.current === undefined) await refuseTakenPorts(site, draft.app, services);
      return services;
    }),
  );
  return configs[0] ?? [];
}

async function must(site: Site, command: Parameters<Site['connection']['run']>[0], code: string) {
  const result = await site.connection.run(command);
  if (result.code !== 0) throw notStored(site, code, result.stderr);
  return result;
}

function notStored(site: Site, code: string, stderr: string): DeployError {
  const droplet = site.host.name;
  if (code === 'compose-config' && !/no space left/i.test(stderr)) {
    return new DeployError(code, `The release is not accepted on ${droplet}: ${firstLines(stderr)}`, {
      droplet,
      hint: 'Check the compose files: `docker compose config` says the same of them here.',
    });
  }
  return new DeployError(code, `The release cannot be stored on ${droplet}: ${lastLine(stderr)}`, {
    droplet,
    hint: `Check the disk of the droplet: ${loginTo(site)} df -h`,
  });
}

/** So many at a time. */
async function inParallel<T>(sites: readonly Site[], task: (site: Site) => Promise<T>): Promise<T[]> {
  const limit = pLimit(AT_ONCE);
  return await together(sites.map((site) => limit(() => task(site))));
}

/** Performs one staging step and tells of it. */
export async function staged<T>(
  ports: DeployPorts,
  droplet: string,
  step: StagingStep,
  task: () => Promise<T>,
): Promise<T> {
  const report = reportTo(ports);
  const started = ports.clock.now();
  report({ type: 'step-started', droplet, step });
  try {
    const value = await task();
    report({
      type: 'step-finished',
      droplet,
      step,
      ms: ports.clock.now() - started,
      ...(typeof value === 'string' && { detail: value }),
    });
    return value;
  } catch (error) {
    const failure = asDeployError(error).at({ droplet, step });
    report({ type: 'step-failed', droplet, step, ms: ports.clock.now() - started, error: failure.info() });
    throw failure;
  }
}
