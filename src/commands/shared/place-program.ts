/** Where a program runs on a droplet: made once the droplet is known, from the release that it runs. */
import { randomBytes } from 'node:crypto';
import type { LoadedSettings } from '../../config/load.js';
import type { Member } from '../../deploy/droplet/member.js';
import type { PlacedProgram } from '../../deploy/operate/program-commands.js';
import type { ProgramCommand } from '../../ports.js';

type Place = (member: Member) => Promise<PlacedProgram>;

interface Wanted {
  /** Absent: the first service of the release. */
  service: string | undefined;
  words: readonly string[];
  terminal?: ProgramCommand['terminal'];
}

/** In a new container. */
export function placeOneOff(
  settings: LoadedSettings,
  { service: wanted, words, who, skipEntrypoint, terminal }: Wanted & { who: string; skipEntrypoint: boolean },
): Place {
  return async (member) => {
    const [{ checkService, defaultService, readRelease }, { oneOffProgram }] = await Promise.all([
      import('../../deploy/operate/services.js'),
      import('../../deploy/operate/program-commands.js'),
    ]);
    const release = await readRelease(member, settings);
    const service = wanted ?? defaultService(release, settings);
    await checkService(member, release, service);
    const name = `${settings.app}-${service}-run-${randomBytes(6).toString('hex')}`;
    return oneOffProgram(release, { name, who, service, words, skipEntrypoint, terminal });
  };
}

/** In the container that runs. */
export function placeExec(settings: LoadedSettings, { service: wanted, words, terminal }: Wanted): Place {
  return async (member) => {
    const [{ defaultService, readRelease, runningContainer }, { execProgram }] = await Promise.all([
      import('../../deploy/operate/services.js'),
      import('../../deploy/operate/program-commands.js'),
    ]);
    const release = await readRelease(member, settings);
    const { id: container } = runningContainer(member, release, wanted ?? defaultService(release, settings));
    return execProgram({ app: settings.app, container, words, mark: randomBytes(12).toString('hex'), terminal });
  };
}
