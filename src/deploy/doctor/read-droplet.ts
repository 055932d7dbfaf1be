/** What doctor reads of one droplet, over its one connection. Refusals are those of the deploy's own checks. */
import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError, ShellError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { Area } from '../../rollout/doctor.js';
import { firstLines } from '../core/output-lines.js';
import { environmentCollision } from '../droplet/environment-collision.js';
import { findGoneImages } from '../droplet/gone-images.js';
import { refuseUnusableHome } from '../droplet/home-check.js';
import { beforeCurrent, currentRelease, loginTo, type Member, provenOn, runningRelease } from '../droplet/member.js';
import { checkDroplet } from '../staging/check-droplet.js';
import { refuseTakenPorts } from '../staging/check-ports.js';
import { refuseFull } from '../staging/check-room.js';
import { refuseOtherValues } from '../staging/compare-variables.js';
import { readComposeConfig } from '../staging/compose-config.js';
import { fileNotFound, refuseCompose } from '../staging/refuse-compose.js';
import type { RegistryLogin } from '../staging/registry-login.js';
import { readRoom } from '../staging/room-command.js';
import { refuseStartInterval } from '../staging/start-interval.js';
import { type ComposeFacts, readComposeFacts } from './compose-facts.js';
import type { DropletFacts } from './facts.js';
import type { Refused } from './found.js';
import { type ImageFacts, readCheckedImages, readImageFacts } from './image-facts.js';
import { machineCommand, readMachine } from './machine-command.js';
import { type ProjectAnswer, projectCommand, readProject } from './project-command.js';
import type { ProjectFiles } from './read-files.js';

/** What is read while the survey runs: in the same round trip. */
export interface FirstLook {
  machine?: string;
  project?: ProjectAnswer;
}

/** Never throws: what a droplet does not answer is not known. */
export async function lookFirst(
  member: Member,
  settings: Settings,
  files: ProjectFiles | undefined,
  login: RegistryLogin | undefined,
): Promise<FirstLook> {
  const declared = (settings.variables ?? []).map(({ name }) => name);
  const ask = async (command: RemoteCommand): Promise<string | undefined> => {
    try {
      const { code, stdout } = await member.connection.run(command);
      return code === 0 ? stdout : undefined;
    } catch (error) {
      if (error instanceof ShellError) return undefined;
      throw error;
    }
  };
  const [machine, project] = await Promise.all([
    ask(machineCommand(settings.app, settings.shared)),
    files && ask(projectCommand(files.draft, files.archive, { declared, images: files.images, login })),
  ]);
  return {
    ...(machine !== undefined && { machine }),
    ...(project !== undefined && { project: readProject(project) }),
  };
}

export interface DropletRead {
  facts: DropletFacts;
  refused: Refused[];
  /** What compose printed besides; undefined if it read nothing. */
  said?: string | undefined;
}

/** @param member after its survey */
export async function readDroplet(
  member: Member,
  settings: Settings,
  files: ProjectFiles | undefined,
  { machine, project }: FirstLook,
): Promise<DropletRead> {
  const refused: Refused[] = [];
  const droplet = member.host.name;
  const keep = (area: Area, error: unknown) => {
    if (!(error instanceof DeployError)) throw error;
    refused.push({ error, area, droplet });
  };
  const check = async (area: Area, task: () => Promise<unknown> | unknown) => {
    try {
      await task();
    } catch (error) {
      keep(area, error);
    }
  };
  const read = machine === undefined ? undefined : readMachine(machine);
  await check('droplets', () => checkDroplet(member));
  await check('droplets', () => {
    refuseUnusableHome({ ...member, survey: { ...member.survey, unusable: read?.shared } }, settings);
  });
  const collision = environmentCollision(member, settings);
  if (collision !== undefined) keep('droplets', collision);
  let compose: ComposeFacts | undefined;
  let images: ImageFacts | undefined;
  // Without Docker nothing of it is known.
  if (files !== undefined && project !== undefined && member.survey.compose !== undefined) {
    compose = project.config === undefined ? undefined : readComposeFacts(project.config);
    images = member.survey.docker === undefined ? undefined : readImageFacts(project, files.images);
    await checkProject(member, settings, files, project, check);
  }
  const gone = await readGoneImages(member);
  const own = new Set(member.containers.flatMap(({ ports }) => ports.map(({ host }) => host)));
  return {
    refused,
    said: project?.said,
    facts: {
      name: droplet,
      login: loginTo(member),
      docker: member.survey.docker,
      machine: read,
      otherPorts: new Set((read?.listening ?? []).filter((port) => !own.has(port))),
      compose,
      images,
      checkedImages: files && project ? readCheckedImages(project, files.images) : new Set(),
      unproven: unprovenOn(member),
      goneImages: gone,
    },
  };
}

type Check = (area: Area, task: () => Promise<unknown> | unknown) => Promise<void>;

async function checkProject(
  member: Member,
  settings: Settings,
  { draft }: ProjectFiles,
  { config, said, stdout }: ProjectAnswer,
  check: Check,
): Promise<void> {
  if (config === undefined) {
    // What a script creates there is not there yet.
    const missing = fileNotFound(member.host.name, draft, said, settings);
    if (missing !== undefined && draft.prepare !== undefined) return;
    await check('compose', () => {
      throw missing ?? invalid(said);
    });
    return;
  }
  await check('compose', async () => {
    const services = readComposeConfig(config, settings);
    refuseOtherValues(member, config, settings.variables ?? []);
    refuseStartInterval(member, services);
    await refuseCompose(member, draft, config, settings);
    if (member.survey.current === undefined) await refuseTakenPorts(member, settings, services);
  });
  const room = readRoom(stdout);
  if (room !== undefined) await check('droplets', () => refuseFull(member, room));
}

function invalid(said: string): DeployError {
  return new DeployError('compose-config', `The compose files are not valid: ${firstLines(said)}`, {
    source: 'user',
    hint: 'Fix the compose files; `docker compose config` in the project reports the same.',
  });
}

/** Ids of releases that failed on the droplet, or never ran there. */
function unprovenOn(member: Member): string[] {
  const { releases, state } = member.survey;
  // Older versions did not record it.
  if (state?.proven === undefined) return [];
  const proven = provenOn(member);
  const running = runningRelease(member);
  return releases.map(({ id }) => id).filter((id) => !proven.has(id) && id !== running);
}

/** Of the release that runs, and of the one that a rollback goes to. */
async function readGoneImages(member: Member): Promise<Map<string, string>> {
  const current = currentRelease(member);
  const before = member.survey.releases.find(({ id }) => id === beforeCurrent(member));
  const releases = [current, before].filter((release) => release !== undefined);
  if (releases.length === 0 || member.survey.docker === undefined) return new Map();
  try {
    const gone = await findGoneImages([member], releases);
    return new Map([...gone].map(([id, { reference }]) => [id, reference]));
  } catch (error) {
    if (asDeployError(error).source === 'bug') throw error;
    return new Map();
  }
}
