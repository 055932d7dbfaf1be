/** Who runs do-deploy. A container in CI may run as a uid without an entry in the password file, and without HOME. */
import { homedir, userInfo } from 'node:os';

/** The login name; without one, the uid. */
export function localUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** Absolute. Without a home folder, `/`: nothing of ssh is found there. */
export function homeFolder(): string {
  try {
    return homedir() || '/';
  } catch {
    return '/';
  }
}
