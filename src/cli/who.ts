import type { ProcessEnv } from '../config/variables.js';

/** Who deploys, for the lease and the history: a person at a machine, or whoever started a CI run, with its address. */
export function whoDeploys(env: ProcessEnv, user: string, host: string): { who: string; url?: string } {
  const url = ciRun(env);
  const person = env.GITHUB_ACTOR || env.GITLAB_USER_LOGIN || user;
  return { who: `${person}@${host}`, url };
}

function ciRun(env: ProcessEnv): string | undefined {
  if (env.GITHUB_RUN_ID && env.GITHUB_REPOSITORY) {
    return `${env.GITHUB_SERVER_URL || 'https://github.com'}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`;
  }
  // GitLab, Jenkins, CircleCI.
  return env.CI_JOB_URL || env.BUILD_URL || env.CIRCLE_BUILD_URL || undefined;
}
