import { hostname, userInfo } from 'node:os';
import { oneLine } from '../adapters/printable.js';
import type { ProcessEnv } from '../config/variables.js';
import { ciRun } from './ci-run.js';

/** Who deploys, for the lock and the history: a user at a machine or the actor of a CI run, with the run's address. */
export function whoDeploys(env: ProcessEnv, user = localUser(env), host = hostname()): { who: string; url?: string } {
  const run = ciRun(env);
  return { who: `${run?.actor ?? oneLine(user, 100)}@${oneLine(host, 100)}`, url: run?.url };
}

/** In a container, a user id may have no entry in /etc/passwd: then userInfo throws. */
function localUser(env: ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    return env.USER || env.LOGNAME || `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
