/** Row by row, with the variables that the documentation of each CI system lists. Its page is named in ci-run.ts. */
import { describe, expect, it } from 'vitest';
import { type CiName, type CiRun, ciRun, ciSystem } from '../../src/cli/ci-run.js';
import { knownSecrets } from '../../src/cli/known-secrets.js';
import { isCi } from '../../src/cli/output-mode.js';
import { whoDeploys } from '../../src/cli/who.js';
import { createRedactor } from '../../src/reporters/redactor.js';

const SHA = 'ffac537e6cbbf934b08745a378932722df287a53';

const JOBS: Record<CiName, { env: Record<string, string>; run: Record<string, string> }> = {
  'GitHub Actions': {
    env: {
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTOR: 'octocat',
      GITHUB_TRIGGERING_ACTOR: 'hubot',
      GITHUB_HEAD_REF: '',
      GITHUB_REF: 'refs/tags/v1.4.2',
      GITHUB_REF_NAME: 'v1.4.2',
      GITHUB_REF_TYPE: 'tag',
      GITHUB_REPOSITORY: 'octocat/Hello-World',
      GITHUB_RUN_ID: '1658821493',
      GITHUB_SERVER_URL: 'https://github.example',
      GITHUB_SHA: SHA,
    },
    run: {
      url: 'https://github.example/octocat/Hello-World/actions/runs/1658821493',
      actor: 'hubot',
      commit: SHA,
      ref: 'v1.4.2',
    },
  },
  'GitLab CI': {
    env: {
      CI: 'true',
      GITLAB_CI: 'true',
      CI_COMMIT_BRANCH: 'main',
      CI_COMMIT_REF_NAME: 'main',
      CI_COMMIT_SHA: SHA,
      CI_JOB_URL: 'https://gitlab.example/gitlab-examples/ci-debug-trace/-/jobs/379424655',
      GITLAB_USER_LOGIN: 'eve',
      GITLAB_USER_NAME: 'Eve Example',
    },
    run: {
      url: 'https://gitlab.example/gitlab-examples/ci-debug-trace/-/jobs/379424655',
      actor: 'eve',
      commit: SHA,
      ref: 'main',
    },
  },
  CircleCI: {
    env: {
      CI: 'true',
      CIRCLECI: 'true',
      CIRCLE_BUILD_URL: 'https://circleci.com/gh/acme/shop/17',
      CIRCLE_SHA1: SHA,
      CIRCLE_TAG: 'v1.4.2',
      CIRCLE_USERNAME: 'ann',
    },
    run: { url: 'https://circleci.com/gh/acme/shop/17', actor: 'ann', commit: SHA, ref: 'v1.4.2' },
  },
  Buildkite: {
    env: {
      CI: 'true',
      BUILDKITE: 'true',
      BUILDKITE_BRANCH: 'main',
      BUILDKITE_BUILD_CREATOR: 'Ann Smith',
      BUILDKITE_BUILD_URL: 'https://buildkite.com/acme-inc/shop/builds/1514',
      BUILDKITE_COMMIT: SHA,
      BUILDKITE_JOB_ID: 'e44f9784-e20e-4b93-a21d-f41fd5869db9',
      BUILDKITE_TAG: '',
    },
    run: {
      url: 'https://buildkite.com/acme-inc/shop/builds/1514#e44f9784-e20e-4b93-a21d-f41fd5869db9',
      actor: 'Ann Smith',
      commit: SHA,
      ref: 'main',
    },
  },
  Jenkins: {
    env: {
      JENKINS_URL: 'https://jenkins.example/',
      BUILD_ID: '153',
      BUILD_URL: 'https://jenkins.example/job/shop/153/',
      BUILD_USER_ID: 'ann',
      GIT_COMMIT: SHA,
      GIT_BRANCH: 'origin/main',
    },
    run: { url: 'https://jenkins.example/job/shop/153/', actor: 'ann', commit: SHA, ref: 'main' },
  },
  'Bitbucket Pipelines': {
    env: {
      CI: 'true',
      BITBUCKET_BUILD_NUMBER: '42',
      BITBUCKET_COMMIT: SHA,
      BITBUCKET_REPO_FULL_NAME: 'acme/shop',
      BITBUCKET_STEP_TRIGGERER_UUID: '{b40eb2b9-6f8e-4d5b-9c4a-1a9e0c0b7f51}',
      BITBUCKET_TAG: 'v1.4.2',
    },
    run: {
      url: 'https://bitbucket.org/acme/shop/pipelines/results/42',
      actor: '{b40eb2b9-6f8e-4d5b-9c4a-1a9e0c0b7f51}',
      commit: SHA,
      ref: 'v1.4.2',
    },
  },
  'Azure Pipelines': {
    env: {
      TF_BUILD: 'True',
      BUILD_BUILDID: '7',
      BUILD_REQUESTEDFOR: 'Ann Smith',
      BUILD_SOURCEBRANCH: 'refs/heads/feature/tools',
      BUILD_SOURCEBRANCHNAME: 'tools',
      BUILD_SOURCEVERSION: SHA,
      SYSTEM_COLLECTIONURI: 'https://dev.azure.com/fabrikamfiber/',
      SYSTEM_TEAMPROJECT: 'Web Shop',
    },
    run: {
      url: 'https://dev.azure.com/fabrikamfiber/Web%20Shop/_build/results?buildId=7',
      actor: 'Ann Smith',
      commit: SHA,
      ref: 'feature/tools',
    },
  },
};

describe.each(Object.entries(JOBS))('a job of %s', (name, { env, run }) => {
  it('is recognised, with its address, actor, commit, and branch or tag', () => {
    expect(ciSystem(env)).toBe(name);
    expect(ciRun(env)).toEqual({ provider: name, ...run });
    expect(isCi(env)).toBe(true);
  });

  it('is the deployer in the lock and the history', () => {
    expect(whoDeploys(env, 'runner', 'host')).toEqual({ who: `${run.actor}@host`, url: run.url });
  });

  it('can put nothing but short lines and web addresses there', () => {
    const hostile = (text: string) => {
      const changed = Object.entries(env).map(([key, value]) => [key, value === '' ? '' : text.replace('*', value)]);
      return ciRun(Object.fromEntries(changed));
    };
    for (const text of ['*\u001b[2J\r\n::error::x\u202e', `*${'x'.repeat(5_000)}`]) {
      const { provider, ...found } = hostile(text) ?? ({} as Partial<CiRun>);
      expect(provider).toBe(name);
      expect(found.commit).toBeUndefined();
      for (const value of Object.values(found)) {
        expect(value ?? '').toMatch(/^[\x20-\x7e…]*$/);
        expect(value?.length ?? 0).toBeLessThanOrEqual(500);
      }
    }
    for (const address of ['javascript:alert(1)//', 'file:///etc/passwd', 'no address']) {
      const url = hostile(address)?.url;
      expect(url ?? 'https://').toMatch(/^https:\/\//);
    }
  });
});

describe('a CI run', () => {
  it('has an address without a user and password', () => {
    expect(ciRun({ CI_JOB_URL: 'https://job:token@gitlab.example/jobs/7' })?.url).toBe('https://gitlab.example/jobs/7');
  });

  it('is known by its address or its actor where a container has no other variable, which alone does not mean CI', () => {
    expect(ciRun({ BUILD_URL: 'https://jenkins.example/job/shop/3/' })).toMatchObject({ provider: 'Jenkins' });
    expect(ciRun({ GITHUB_ACTOR: String.raw`CORP\ann` })).toMatchObject({ actor: String.raw`CORP\ann` });
    expect(isCi({ BUILD_URL: 'https://jenkins.example/job/shop/3/', JENKINS_URL: 'https://jenkins.example/' })).toBe(
      false,
    );
  });

  it('of the system that marks it comes before variables of another one', () => {
    const { env } = JOBS.CircleCI;
    expect(ciRun({ ...env, BUILD_URL: 'https://jenkins.example/', GITHUB_ACTOR: 'x' })).toMatchObject({
      provider: 'CircleCI',
      actor: 'ann',
    });
  });

  it('is none without any of these variables, or with CI=false', () => {
    expect(ciRun({ HOME: '/home/ann', GITHUB_ACTIONS: '' })).toBeUndefined();
    expect(isCi({ TF_BUILD: 'True', CI: 'false' })).toBe(false);
    expect(isCi({})).toBe(false);
  });
});

it.each(Object.entries(JOBS))(
  'the address of a run of %s is not masked, whatever else begins like it',
  (_, { env, run }) => {
    const { url = '' } = run;
    const origin = new URL(url).origin;
    const token = 'https://hooks.example/services/T0123/very-secret';
    const secrets = knownSecrets(
      '/',
      { ...env, CI_SERVER_URL: origin, JENKINS_HOME_PAGE: `${origin}/`, HOOK: token },
      undefined,
    );
    const redact = createRedactor(secrets);
    expect(redact(`See ${url} and ${token}`)).toBe(`See ${url} and [secret]`);
  },
);
