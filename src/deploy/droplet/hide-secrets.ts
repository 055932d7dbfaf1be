/** Secrets that only droplets have: an earlier deploy got them from commands, which no other run repeats. */
import type { RemoteCommand } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { appFolder, command, quote } from '../core/shell.js';
import type { Member } from './member.js';

/** The env file of a release with the values of `secrets:`, one variable a line. */
export const SECRETS_FILE = '.variables/secrets.env';

/** Bounds what is read, in bytes. */
const MAX_BYTES = 512 * 1024;

/** Masks them from now on: what the containers of a surveyed droplet say is shown when they fail. Throws ShellError. */
export async function hideSecretsOn(ports: Pick<DeployPorts, 'hide'>, app: string, member: Member): Promise<void> {
  const releases = member.survey.releases.filter(({ envFiles }) => envFiles.includes(SECRETS_FILE));
  if (releases.length === 0 || ports.hide === undefined) return;
  const ids = releases.map(({ id }) => id);
  ports.hide((await member.connection.run(secretsCommand(app, ids))).stdout);
}

/** Most releases have the same ones: each line is printed once. */
function secretsCommand(app: string, releases: readonly string[]): RemoteCommand {
  const files = releases.map((id) => quote(`${id}/${SECRETS_FILE}`));
  return command(
    'secrets',
    { app, releases },
    [`cd ${appFolder(app)}/releases`, `cat ${files.join(' ')} 2>/dev/null | LC_ALL=C sort -u | head -c ${MAX_BYTES}`],
    { maxBytes: MAX_BYTES, reads: true },
  );
}
