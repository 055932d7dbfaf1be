/** How start-up.sh logs in to the registry: the password goes to its standard input. */
import type { Settings } from '../../config/settings.js';
import { quote } from '../core/shell.js';

export interface RegistryLogin {
  server: string;
  username: string;
  password: string;
}

/** Exit code of start-up.sh when the registry refuses the login. */
export const LOGIN_REFUSED = 77;

export function loginOf({ registry }: Settings): RegistryLogin | undefined {
  return registry && { server: registry.server, username: registry.username, password: registry.password.reveal() };
}

/** Assignments for start-up.sh, followed by a space; '' without a login. */
export function loginVariables(registry: RegistryLogin | undefined): string {
  if (registry === undefined) return '';
  return `REGISTRY_SERVER=${quote(registry.server)} REGISTRY_USERNAME=${quote(registry.username)} `;
}
