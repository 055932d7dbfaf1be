import { DeployError } from '../../errors.js';
import { command } from '../core/shell.js';
import type { Member } from '../droplet/member.js';

/** An image as `docker image inspect` shows it, as far as its platform is concerned. */
export interface ImagePlatform {
  reference: string;
  /** As Go names it: amd64, arm64, … */
  architecture?: string | null;
}

/** Every droplet of DigitalOcean has it: other images are worth asking for. */
const USUAL = 'amd64';

/** Go's names for what `uname -m` prints. */
export const MACHINES: Record<string, string> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
  armv7l: 'arm',
  i686: '386',
};

/**
 * Refuses images that were built for another processor: Docker pulls them with a warning, and their containers exit with
 * "exec format error". Throws DeployError image-architecture.
 */
export async function refuseForeignImages(member: Member, images: readonly ImagePlatform[]): Promise<void> {
  const unusual = images.filter(({ architecture }) => architecture && architecture !== USUAL);
  if (unusual.length === 0) return;
  const { stdout } = await member.connection.run(command('machine', {}, ['uname -m'], { reads: true }));
  const machine = MACHINES[stdout.trim()];
  const foreign = unusual.find(({ architecture }) => machine !== undefined && architecture !== machine);
  if (foreign === undefined) return;
  const { reference, architecture } = foreign;
  const droplet = member.host.name;
  throw new DeployError(
    'image-architecture',
    `${reference} is built for ${architecture}, but ${droplet} is ${machine}.`,
    {
      source: 'user',
      droplet,
      hint: buildFor(`linux/${machine}`),
    },
  );
}

export function buildFor(platform: string): string {
  return `Build and push it for the droplets: docker buildx build --platform ${platform} --push`;
}
