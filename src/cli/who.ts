import { hostname, userInfo } from 'node:os';
import type { ProcessEnv } from '../config/variables.js';

/** Who deploys, for the lock and the history: a user at a machine or the actor of a CI run, with the run's address. */
export function whoDeploys(env: ProcessEnv, user = localUser(env), host = hostname()): { who: string; url?: string } {
  const person = env.GITHUB_ACTOR || env.GITLAB_USER_LOGIN || user;
  return { who: `${person}@${host}`, url: ciRun(env) };
}

/** In a container, a user id may have no entry in /etc/passwd: then userInfo throws. */
function localUser(env: ProcessEnv): string {
  try {
    return userInfo().username;
  } catch {
    return env.USER || env.LOGNAME || `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function ciRun(env: ProcessEnv): string | undefined {
  if (env.GITHUB_RUN_ID && env.GITHUB_REPOSITORY) {
    return `${env.GITHUB_SERVER_URL || 'https://github.com'}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`;
  }
  // GitLab, Jenkins, CircleCI.
  return env.CI_JOB_URL || env.BUILD_URL || env.CIRCLE_BUILD_URL || undefined;
}
