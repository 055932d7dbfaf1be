import type { HttpCheckSettings } from '../../config/settings.js';
import type { HealthResponse } from '../../ports.js';
import type { Member } from './member.js';

/**
 * Asks the app on the droplet, by `rollout.health.http`; undefined without it. It goes to 127.0.0.1, which services that
 * publish their port on every address answer, and also those that only a proxy on the droplet shall reach. Throws ShellError.
 */
export async function makeAppCheck(
  member: Pick<Member, 'connection'>,
  check: HttpCheckSettings | undefined,
): Promise<HealthResponse | undefined> {
  if (check === undefined) return undefined;
  const { port, path, timeoutMs } = check;
  return await member.connection.checkHealth({
    protocol: 'http',
    address: '127.0.0.1',
    port,
    path,
    proxyProtocol: false,
    timeoutMs,
  });
}
