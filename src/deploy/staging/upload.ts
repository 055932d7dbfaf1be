import { DeployError } from '../../errors.js';
import { firstLines } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import { reportStep } from '../core/report.js';
import { sharedFileMissing } from '../droplet/home-check.js';
import type { Member } from '../droplet/member.js';
import { packFor } from '../release/archive.js';
import type { ReleaseDraft } from '../release/draft.js';
import { refuseTakenPorts } from './check-ports.js';
import { checkRoom } from './check-room.js';
import { refuseOtherValues, warnAboutUnused } from './compare-variables.js';
import { type ComposeService, readComposeConfig } from './compose-config.js';
import { warnAboutCompose } from './compose-warnings.js';
import { mostCommonBy } from './most-common.js';
import { fileNotFound, refuseCompose } from './refuse-compose.js';
import type { Staging } from './staging.js';
import { refuseStartInterval, warnAboutStartInterval } from './start-interval.js';
import { storeFailed } from './store-failure.js';
import { incomingPath, NOT_SHARED, unpackCommand } from './unpack-command.js';

const UPLOAD_WITHIN_MS = 10 * 60_000;

/**
 * Uploads the files to every droplet and unpacks them there. Returns the services as `docker compose config` shows them on
 * most droplets. Throws DeployError compose-config, compose-no-image, variable-differs, port-taken, disk-full or
 * shared-file-missing, what `refuseCompose` throws, or ShellError.
 * @param imagesOf what will be pulled
 */
export async function uploadAll(
  staging: Staging,
  members: readonly Member[],
  imagesOf: (services: readonly ComposeService[]) => readonly string[],
): Promise<ComposeService[]> {
  const { ports, settings, draft } = staging;
  // Most droplets of a fleet lack the same files and share one archive.
  const declared = (settings.variables ?? []).map(({ name }) => name);
  const archives = new Map<string, ReturnType<typeof packFor>>();
  const configs = await inParallel(members, (member) =>
    reportStep(ports, { droplet: member.host.name, step: 'upload' }, async () => {
      const { found, current } = member.survey;
      const key = JSON.stringify([...found]);
      const packed = archives.get(key) ?? packFor(draft, found);
      archives.set(key, packed);
      const { archive, reused } = await packed;
      const path = incomingPath(draft.app, draft.id);
      await member.connection.upload({ path, content: archive, mode: 0o600, timeoutMs: UPLOAD_WITHIN_MS });
      const { code, stdout, stderr } = await member.connection.run(unpackCommand(draft, current, reused, declared));
      if (code === NOT_SHARED) throw sharedFileMissing(member, settings, sharedPath(draft, stderr));
      if (code !== 0) throw fileNotFound(member.host.name, draft, stderr, settings) ?? unpackFailed(member, stderr);
      const services = readComposeConfig(stdout, settings);
      refuseOtherValues(member, stdout, settings.variables ?? []);
      refuseStartInterval(member, services);
      await refuseCompose(member, draft, stdout, settings);
      // After its first release, the ports are the app's own.
      if (current === undefined) await refuseTakenPorts(member, settings, services);
      await checkRoom(staging, member, imagesOf(services));
      return { services, stdout, stderr };
    }),
  );
  const usual = mostCommonBy(configs, ({ services }) => services);
  if (usual === undefined) return [];
  warnAboutCompose(ports, usual.stderr, usual.services);
  warnAboutStartInterval(ports, members, usual.services);
  if (settings.variables?.some(({ isSecret }) => isSecret)) {
    const composeFiles = draft.files.filter(({ path }) => draft.composeFiles.includes(path));
    const written = await Promise.all(composeFiles.map((file) => file.read()));
    warnAboutUnused(ports, usual.stdout, settings.variables, written.join('\n'));
  }
  return usual.services;
}

/** What the droplet prints is only believed as far as the project has said it. */
function sharedPath({ shared = [] }: ReleaseDraft, stderr: string): string {
  return shared.find((one) => one === stderr.trim()) ?? shared.find((one) => !one.endsWith('/')) ?? '';
}

function unpackFailed(member: Member, stderr: string): DeployError {
  if (/no space left/i.test(stderr)) return storeFailed(member, 'compose-config', stderr);
  const droplet = member.host.name;
  return new DeployError('compose-config', `The compose files are not valid on ${droplet}: ${firstLines(stderr)}`, {
    droplet,
    hint: 'Fix the compose files; `docker compose config` in the project reports the same.',
  });
}
