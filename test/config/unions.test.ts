/** Keys that may be a map or something else: what is wrong in the map is named. */
import { expect, it } from 'vitest';
import { createProject, problemsOf } from './project-folder.js';

const problems = (written: string) =>
  problemsOf(
    createProject({
      'compose/docker-compose.yml': 'services: { app: { image: a } }\n',
      'config/deploy.yml': `app: shop\nenvironments: { test: { tag: x } }\n${written}\n`,
    }),
  );

it.each([
  [
    'rollout: { probe: { url: "https://a.example", intervall: 1s } }',
    /^config\/deploy\.yml:3: unknown key rollout\.probe\.intervall; did you mean interval\?$/,
  ],
  [
    'rollout: { probe: { url: "https://a.example", frequency: 1s } }',
    /^config\/deploy\.yml:3: unknown key rollout\.probe\.frequency; known here: .*url.*interval.*max_failures/,
  ],
  [
    'rollout: { probe: { url: "https://a.example", max_failures: many } }',
    /^config\/deploy\.yml:3: rollout\.probe\.max_failures must be a whole number/,
  ],
])('%s', async (written, problem) => {
  expect(await problems(written)).toEqual([expect.stringMatching(problem)]);
});
