import { expect, it } from 'vitest';
import { whoDeploys } from '../../src/cli/who.js';

it.each([
  [{}, { who: 'ann@laptop' }],
  [
    {
      GITHUB_REPOSITORY: 'acme/shop',
      GITHUB_RUN_ID: '42',
      GITHUB_ACTOR: 'bob',
      GITHUB_SERVER_URL: 'https://github.com',
    },
    { who: 'bob@laptop', url: 'https://github.com/acme/shop/actions/runs/42' },
  ],
  [
    { CI_JOB_URL: 'https://gitlab.example/acme/shop/-/jobs/7', GITLAB_USER_LOGIN: 'eve' },
    { who: 'eve@laptop', url: 'https://gitlab.example/acme/shop/-/jobs/7' },
  ],
  [
    { BUILD_URL: 'https://jenkins.example/job/shop/3/' },
    { who: 'ann@laptop', url: 'https://jenkins.example/job/shop/3/' },
  ],
])('who deploys, with %j', (env, expected) => {
  expect(whoDeploys(env, 'ann', 'laptop')).toEqual(expected);
});
