/** How start-up.sh logs in to the registry: the password goes to its standard input. */
import type { RegistrySettings, Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { quote } from '../core/shell.js';

/** `auth`: as in Docker's config.json; it holds the user's name and the password, which are both secrets then. */
export type RegistryLogin =
  | { server: string; username: string; password: string; auth?: undefined }
  | { server: string; auth: string };

/** Exit code of start-up.sh when the registry refuses the login. */
export const LOGIN_REFUSED = 77;

/** Of a login to DigitalOcean's registry: pulls that wait for each other, and are tried again, end within it. */
const VALID_SECONDS = 3_600;

/** Made once for each run. It is stored nowhere. Throws CloudError. */
export async function logInTo(
  { cloud, hide }: Pick<DeployPorts, 'cloud' | 'hide'>,
  { registry }: Pick<Settings, 'registry'>,
): Promise<RegistryLogin | undefined> {
  if (registry === undefined) return undefined;
  const { server } = registry;
  if (registry.digitalocean === undefined) {
    return { server, username: registry.username, password: registry.password.reveal() };
  }
  const auth = await cloud.registryLogin(registry.digitalocean, VALID_SECONDS);
  const [user = '', ...password] = Buffer.from(auth, 'base64').toString('utf8').trim().split(':');
  hide?.([auth, user, password.join(':')].map((value) => `REGISTRY_AUTH='${value.replaceAll("'", '')}'`).join('\n'));
  return { server, auth };
}

/** Assignments for start-up.sh, followed by a space; '' without a login. */
export function loginVariables(login: RegistryLogin | undefined): string {
  if (login === undefined) return '';
  const how = login.auth === undefined ? `REGISTRY_USERNAME=${quote(login.username)}` : 'REGISTRY_AUTH=stdin';
  return `REGISTRY_SERVER=${quote(login.server)} ${how} `;
}

/** For the standard input of start-up.sh. */
export function loginInput(login: RegistryLogin | undefined): string | undefined {
  return login && `${login.auth ?? login.password}\n`;
}

/** Whose login it is, for people. */
export function loginName(registry: RegistrySettings): string {
  return registry.digitalocean === undefined ? registry.username : 'the token of DigitalOcean';
}
