import { homedir } from 'node:os';
import type { ProcessEnv } from './variables.js';

/** The user's home folder; the root folder for a user who has none, as in many containers. */
export function homeOf(env: ProcessEnv): string {
  if (env.HOME) return env.HOME;
  try {
    return homedir();
  } catch {
    // No HOME, and a user id without an entry in passwd.
    return '/';
  }
}
