import { describe, expect, it } from 'vitest';
import sentry from '../../src/layers/sentry.js';
import { COMMIT, layerWith, problemsWith, startService } from './service.js';

const TOKEN = 'sntrys_0123456789abcdef';
const BEFORE = '1111111111111111111111111111111111111111';

async function setup(settings: object = {}, ...answers: Parameters<typeof startService>) {
  const { url, requests } = await startService(...(answers.length > 0 ? answers : [{ status: 201, body: '{}' }]));
  const layer = await layerWith(sentry, { org: 'acme', project: 'shop', token: TOKEN, url, ...settings });
  const calls = () => requests.map(({ method, path }) => `${method} ${path}`);
  return { ...layer, requests, calls };
}

const RELEASES = '/api/0/organizations/acme/releases/';

describe('sentry', () => {
  it('creates the release when rolling begins, and records the deploy and the date at its end', async () => {
    const { raise, requests } = await setup({ repository: 'acme/shop' });
    await raise('deploy', { previousCommit: BEFORE });
    expect(requests).toMatchObject([
      {
        method: 'POST',
        path: RELEASES,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: {
          version: 'v2',
          projects: ['shop'],
          ref: COMMIT,
          refs: [{ repository: 'acme/shop', commit: COMMIT, previousCommit: BEFORE }],
        },
      },
    ]);
    await raise('deploy_succeeded', { url: 'https://ci.example.com/runs/7' });
    expect(requests.slice(1).map(({ method, path, body }) => ({ method, path, body }))).toEqual([
      {
        method: 'POST',
        path: `${RELEASES}v2/deploys/`,
        body: {
          environment: 'production',
          name: '20261121T074500Z-v2',
          url: 'https://ci.example.com/runs/7',
          dateStarted: '2026-11-21T07:45:00.000Z',
          dateFinished: '2026-11-21T07:47:31.000Z',
          projects: ['shop'],
        },
      },
      { method: 'PUT', path: `${RELEASES}v2/`, body: { dateReleased: '2026-11-21T07:47:31.000Z' } },
    ]);
  });

  it('sets the commit alone without a repository, and none where it is not known', async () => {
    const { raise, requests } = await setup({ project: ['shop', 'shop-jobs'] });
    await raise('deploy');
    await raise('deploy', { release: { id: 'r3', imageTag: 'v3' } });
    expect(requests.map(({ body }) => body)).toEqual([
      { version: 'v2', projects: ['shop', 'shop-jobs'], ref: COMMIT, commits: [{ id: COMMIT }] },
      { version: 'v3', projects: ['shop', 'shop-jobs'] },
    ]);
  });

  it('uses the commit as the version, where it is known, and the environment that is set', async () => {
    const { raise, calls, requests } = await setup({ version: 'commit', environment: 'live' });
    await raise('deploy_succeeded');
    expect(calls()).toEqual([`POST ${RELEASES}`, `POST ${RELEASES}${COMMIT}/deploys/`, `PUT ${RELEASES}${COMMIT}/`]);
    expect(requests[1]?.body).toMatchObject({ environment: 'live' });
    await raise('deploy', { release: { id: 'r3', imageTag: 'v3' } });
    expect(requests.at(-1)?.body).toMatchObject({ version: 'v3' });
  });

  it('creates the release at the end if that failed before', async () => {
    const { raise, calls } = await setup({}, { status: 500, body: 'oops' }, { status: 201 });
    await expect(raise('deploy')).rejects.toThrow('Sentry answered 500: oops');
    await raise('deploy_succeeded');
    expect(calls().slice(1)).toEqual([`POST ${RELEASES}`, `POST ${RELEASES}v2/deploys/`, `PUT ${RELEASES}v2/`]);
  });

  it('records a rollback without commits and without a new date of the release', async () => {
    const { raise, calls, requests } = await setup({ repository: 'acme/shop' });
    await raise('deploy', { command: 'rollback', previousCommit: BEFORE });
    await raise('deploy_succeeded', { command: 'rollback' });
    expect(calls()).toEqual([`POST ${RELEASES}`, `POST ${RELEASES}v2/deploys/`]);
    expect(requests[0]?.body).toEqual({ version: 'v2', projects: ['shop'] });
  });

  it.each(['heal', 'adopt'] as const)('leaves %s alone: no version changes', async (command) => {
    const { raise, requests } = await setup();
    await raise('deploy', { command });
    await raise('deploy_succeeded', { command });
    expect(requests).toEqual([]);
  });

  it('does nothing for a deploy that failed or had nothing to do', async () => {
    const { raise, requests } = await setup();
    await raise('deploy_failed');
    await raise('deploy_skipped');
    expect(requests).toEqual([]);
  });

  it.each(['http://jenkins:8080/job/7', 'javascript:alert(1)', 'not an address'])(
    'leaves out %s, which Sentry refuses',
    async (url) => {
      const { raise, requests } = await setup();
      await raise('deploy_succeeded', { url });
      expect(requests[1]?.body).not.toHaveProperty('url');
    },
  );

  it('cannot be led to another path or a longer name by an image tag', async () => {
    const { raise, calls, requests } = await setup();
    const release = { id: 'x'.repeat(500), imageTag: '../../../users/?a=b#c' };
    await raise('deploy_succeeded', { release });
    expect(calls()[1]).toBe(`POST ${RELEASES}..%2F..%2F..%2Fusers%2F%3Fa%3Db%23c/deploys/`);
    expect(requests[1]?.body.name).toHaveLength(64);
  });

  it('says what is wrong with its settings', () => {
    const right = { org: 'acme', project: 'shop', token: TOKEN };
    expect(problemsWith(sentry, right)).toEqual([]);
    const ADDRESS = 'must be an address that begins with https:// or http://, without a user, a password and a query';
    expect(problemsWith(sentry, { ...right, url: 'ftp://sentry.io' })).toEqual([`url ${ADDRESS}`]);
    expect(problemsWith(sentry, { ...right, url: 'https://ann:secret@sentry.io' })).toEqual([`url ${ADDRESS}`]);
    expect(problemsWith(sentry, { ...right, url: 'https://sentry.io?token=x' })).toEqual([`url ${ADDRESS}`]);
    expect(problemsWith(sentry, { ...right, org: '../x', project: [] })).toEqual([
      'org must be the slug of an organization',
      'project must be the slug of a project, or a list of them',
    ]);
    expect(problemsWith(sentry, { ...right, token: 'a\nb' })).toEqual([
      'token must be a text without blanks and line breaks',
    ]);
    expect(problemsWith(sentry, { ...right, version: 'tag' })).toEqual(['version must be image_tag or commit']);
  });

  it('may fail without stopping a rollout', async () => {
    const { handlers } = await setup();
    expect(handlers.map(({ event, mayFail }) => [event, mayFail])).toEqual([
      ['deploy', true],
      ['deploy_succeeded', true],
      ['deploy_failed', true],
    ]);
  });
});
