/** The CI systems that `init` knows a workflow for, and what shows that a project uses one. */
import type { EnvironmentName } from './answers.js';

export const CI_NAMES = ['github', 'gitlab', 'azure', 'bitbucket', 'buildkite', 'circleci', 'jenkins'] as const;
export type CiName = (typeof CI_NAMES)[number];

interface CiWorkflow {
  readonly label: string;
  /** Below examples/ci. */
  readonly example: string;
  /** Where the CI system looks for it. */
  readonly path: string;
  /** Files and folders that only a project with this CI system has. */
  readonly signs: readonly string[];
  /** Likewise, in the address of a git remote. */
  readonly host?: RegExp;
}

export const CI: Readonly<Record<CiName, CiWorkflow>> = {
  github: {
    label: 'GitHub Actions',
    example: 'github-tag.yml',
    path: '.github/workflows/deploy.yml',
    signs: ['.github'],
    host: /\bgithub\.com[:/]/,
  },
  gitlab: {
    label: 'GitLab CI',
    example: 'gitlab.yml',
    path: '.gitlab-ci.yml',
    signs: ['.gitlab-ci.yml', '.gitlab'],
    host: /\bgitlab\.[\w.-]+[:/]/,
  },
  azure: {
    label: 'Azure Pipelines',
    example: 'azure-pipelines.yml',
    path: 'azure-pipelines.yml',
    signs: ['azure-pipelines.yml'],
    host: /\bdev\.azure\.com[:/]/,
  },
  bitbucket: {
    label: 'Bitbucket Pipelines',
    example: 'bitbucket.yml',
    path: 'bitbucket-pipelines.yml',
    signs: ['bitbucket-pipelines.yml'],
    host: /\bbitbucket\.org[:/]/,
  },
  buildkite: {
    label: 'Buildkite',
    example: 'buildkite.yml',
    path: '.buildkite/pipeline.yml',
    signs: ['.buildkite'],
  },
  circleci: { label: 'CircleCI', example: 'circleci.yml', path: '.circleci/config.yml', signs: ['.circleci'] },
  jenkins: { label: 'Jenkins', example: 'Jenkinsfile', path: 'Jenkinsfile', signs: ['Jenkinsfile'] },
};

/** @param gitConfig the text of .git/config */
export function recogniseCi(exists: (path: string) => boolean, gitConfig: string): CiName | undefined {
  const remotes = [...gitConfig.matchAll(/^\s*url\s*=\s*(\S+)/gm)].map(([, url = '']) => url);
  return (
    CI_NAMES.find((name) => CI[name].signs.some(exists)) ??
    CI_NAMES.find((name) => remotes.some((url) => CI[name].host?.test(url)))
  );
}

/** The example for the environment: examples deploy a tag to production. */
export function workflowText(example: string, environments: readonly EnvironmentName[]): string {
  // It is already there.
  const copied = example.replace(/ Copy it to\s+(?:(?:#|\/\/) )?\S+\.(?=\s)/, '');
  if (environments.includes('production')) return copied;
  return copied.replaceAll('production', 'staging').replaceAll('PRODUCTION', 'STAGING');
}
