/** The CI systems that do-deploy knows, one row each, and what their variables tell about the run. */
import { oneLine } from '../adapters/printable.js';
import { namesSecret } from '../config/harmless.js';
import type { ProcessEnv } from '../config/variables.js';

/** A text with variables. The first one of a list whose variables are all set counts. */
type Texts = readonly string[];

interface Provider {
  name: string;
  /** The variables that tell a job of this system, as its documentation names them. */
  marker: string;
  /** The page of the run. */
  url: Texts;
  /** Who started it. */
  actor: Texts;
  commit: Texts;
  /** The branch or tag. */
  ref: Texts;
}

const PROVIDERS = [
  {
    // https://docs.github.com/en/actions/reference/workflows-and-actions/variables
    name: 'GitHub Actions',
    marker: '$GITHUB_ACTIONS',
    url: [
      '$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID',
      'https://github.com/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID',
    ],
    // Of a repeated run, the first is who repeated it.
    actor: ['$GITHUB_TRIGGERING_ACTOR', '$GITHUB_ACTOR'],
    commit: ['$GITHUB_SHA'],
    ref: ['$GITHUB_HEAD_REF', '$GITHUB_REF_NAME'],
  },
  {
    // https://docs.gitlab.com/ci/variables/predefined_variables/
    name: 'GitLab CI',
    marker: '$GITLAB_CI',
    url: ['$CI_JOB_URL'],
    actor: ['$GITLAB_USER_LOGIN'],
    commit: ['$CI_COMMIT_SHA'],
    ref: ['$CI_COMMIT_TAG', '$CI_COMMIT_BRANCH', '$CI_COMMIT_REF_NAME'],
  },
  {
    // https://circleci.com/docs/reference/variables/
    name: 'CircleCI',
    marker: '$CIRCLECI',
    url: ['$CIRCLE_BUILD_URL'],
    actor: ['$CIRCLE_USERNAME'],
    commit: ['$CIRCLE_SHA1'],
    ref: ['$CIRCLE_TAG', '$CIRCLE_BRANCH'],
  },
  {
    // https://buildkite.com/docs/pipelines/configure/environment-variables
    name: 'Buildkite',
    marker: '$BUILDKITE',
    url: ['$BUILDKITE_BUILD_URL#$BUILDKITE_JOB_ID', '$BUILDKITE_BUILD_URL'],
    actor: ['$BUILDKITE_UNBLOCKER', '$BUILDKITE_BUILD_CREATOR'],
    commit: ['$BUILDKITE_COMMIT'],
    ref: ['$BUILDKITE_TAG', '$BUILDKITE_BRANCH'],
  },
  {
    // https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables; JENKINS_URL alone may be a setting of
    // its command line. The user's name comes from the plugin https://plugins.jenkins.io/build-user-vars-plugin/.
    name: 'Jenkins',
    marker: '$JENKINS_URL $BUILD_ID',
    url: ['$BUILD_URL'],
    actor: ['$BUILD_USER_ID'],
    commit: ['$GIT_COMMIT'],
    ref: ['$TAG_NAME', '$BRANCH_NAME', '$GIT_BRANCH'],
  },
  {
    // https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
    name: 'Bitbucket Pipelines',
    marker: '$BITBUCKET_BUILD_NUMBER',
    url: ['https://bitbucket.org/$BITBUCKET_REPO_FULL_NAME/pipelines/results/$BITBUCKET_BUILD_NUMBER'],
    actor: ['$BITBUCKET_STEP_TRIGGERER_UUID'],
    commit: ['$BITBUCKET_COMMIT'],
    ref: ['$BITBUCKET_TAG', '$BITBUCKET_BRANCH'],
  },
  {
    // https://learn.microsoft.com/azure/devops/pipelines/build/variables
    name: 'Azure Pipelines',
    marker: '$TF_BUILD',
    // The first variable ends with a slash.
    url: ['$SYSTEM_COLLECTIONURI$SYSTEM_TEAMPROJECT/_build/results?buildId=$BUILD_BUILDID'],
    actor: ['$BUILD_REQUESTEDFOR'],
    commit: ['$BUILD_SOURCEVERSION'],
    ref: ['$BUILD_SOURCEBRANCH'],
  },
] as const satisfies readonly Provider[];

export type CiName = (typeof PROVIDERS)[number]['name'];

/** What is known of a run. Every text is one line of bounded length. */
export interface CiRun {
  provider: CiName;
  /** http or https, without a user or password. */
  url?: string;
  actor?: string;
  /** The full hash. */
  commit?: string;
  /** The branch or tag, without `refs/heads/`. */
  ref?: string;
}

const LONGEST_URL = 500;

/** The CI system whose job this process belongs to. */
export function ciSystem(env: ProcessEnv): CiName | undefined {
  return PROVIDERS.find(({ marker }) => filled(marker, env) !== undefined)?.name;
}

/**
 * The run that this process belongs to. A container that a job starts has only the variables that the job hands on, so the
 * address or the actor is enough.
 */
export function ciRun(env: ProcessEnv): CiRun | undefined {
  const has = (texts: Texts) => texts.some((text) => filled(text, env) !== undefined);
  const provider: (Provider & { name: CiName }) | undefined =
    PROVIDERS.find(({ marker }) => has([marker])) ??
    PROVIDERS.find(({ url }) => has(url)) ??
    PROVIDERS.find(({ actor }) => has(actor));
  if (provider === undefined) return undefined;
  const { name, url, actor, commit, ref } = provider;
  return {
    provider: name,
    url: first(url, env, webAddress),
    actor: first(actor, env, (text) => oneLine(text, 100)),
    commit: first(commit, env, (text) => (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ? text : undefined)),
    ref: first(ref, env, (text) => oneLine(text.replace(/^(refs\/(heads|tags)|origin)\//, ''), 250)),
  };
}

/** The first of the texts that is complete, and not empty once it is cleaned. */
function first(texts: Texts, env: ProcessEnv, clean: (text: string) => string | undefined): string | undefined {
  for (const text of texts) {
    const found = clean(filled(text, env) ?? '');
    if (found) return found;
  }
  return undefined;
}

/** Undefined if one of its variables is not set. */
function filled(text: string, env: ProcessEnv): string | undefined {
  const names = text.match(/\$[A-Z\d_]+/g) ?? [];
  if (names.some((name) => !env[name.slice(1)])) return undefined;
  return text.replaceAll(/\$([A-Z\d_]+)/g, (_, name: string) => env[name] ?? '');
}

function webAddress(text: string): string | undefined {
  if (text.length > LONGEST_URL || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  url.username = '';
  url.password = '';
  for (const name of [...url.searchParams.keys()]) if (namesSecret(name)) url.searchParams.delete(name);
  return /^https?:$/.test(url.protocol) && url.href.length <= LONGEST_URL ? url.href : undefined;
}
