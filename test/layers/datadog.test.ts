import { describe, expect, it } from 'vitest';
import datadog from '../../src/layers/datadog.js';
import { layerWith, problemsWith, startService } from './service.js';

const KEY = '0123456789abcdef0123456789abcdef';

async function setup(settings: object = {}) {
  const { url, requests } = await startService({ status: 202, body: '{"status":"ok"}' });
  return { ...(await layerWith(datadog, { api_key: KEY, url, ...settings })), requests };
}

describe('datadog', () => {
  it('sends an event when rolling begins and one at the end, grouped by one key', async () => {
    const { raise, requests } = await setup({ tags: ['team:shop'] });
    await raise('deploy');
    await raise('deploy_succeeded', { url: 'https://ci.example.com/7' });
    const tags = ['source:do-deploy', 'service:shop', 'env:production', 'command:deploy', 'version:v2', 'team:shop'];
    expect(requests).toMatchObject([
      {
        method: 'POST',
        path: '/api/v1/events',
        headers: { 'dd-api-key': KEY, 'content-type': 'application/json' },
        body: {
          title: 'Deploy of shop v2 to production has started',
          alert_type: 'info',
          date_happened: Date.parse('2026-11-21T07:45:30Z') / 1_000,
          tags,
        },
      },
      {
        path: '/api/v1/events',
        body: {
          title: 'Deploy of shop v2 to production succeeded',
          alert_type: 'success',
          date_happened: Date.parse('2026-11-21T07:47:31Z') / 1_000,
          tags,
        },
      },
    ]);
    const [begun, ended] = requests.map(({ body }) => body);
    expect(begun.text.split('\n')).toEqual([
      'Release: 20261120T074500Z-v1 → 20261121T074500Z-v2',
      expect.stringMatching(/^Commit: .*6ba09a7$/),
      'Droplets: web-1, web-2',
      'By: ann@laptop',
    ]);
    expect(ended.text).toContain('\nTook: 2 min 31 s\n');
    expect(ended.text).toMatch(/\nCI run: https:\/\/ci\.example\.com\/7$/);
    expect(begun.aggregation_key).toMatch(/^do-deploy [0-9a-f-]{36}$/);
    expect(ended.aggregation_key).toBe(begun.aggregation_key);
  });

  it('says why a deploy failed, and gives the next run a key of its own', async () => {
    const { raise, requests } = await setup();
    await raise('deploy');
    await raise('deploy_failed');
    await raise('deploy_failed');
    const [, failed, next] = requests.map(({ body }) => body);
    expect(failed).toMatchObject({ title: 'Deploy of shop v2 to production failed', alert_type: 'error' });
    expect(failed.text).toContain('\nWhy: web-2 (health): Not healthy within 120 s.\nNext: do-deploy heal production');
    expect(next.aggregation_key).not.toBe(failed.aggregation_key);
  });

  it('sends nothing where nothing was deployed', async () => {
    const { raise, requests } = await setup();
    await raise('deploy_skipped');
    expect(requests).toEqual([]);
  });

  it('keeps to the limits, and mentions no one', async () => {
    const { raise, requests } = await setup({ tags: ['x'.repeat(200)] });
    await raise('deploy', {
      app: `@all ${'shop'.repeat(100)}`,
      who: '@slack-ops \u001b[2J\n@here ann@laptop',
      previous: Array.from({ length: 100 }, (_, index) => `release-${index}-${'y'.repeat(60)}`),
    });
    const body = requests[0]?.body;
    expect(body.title).toHaveLength(100);
    expect(body.title).toMatch(/^Deploy of \(at\) all shop/);
    expect(body.text).toMatch(/By: \(at\) slack-ops +\(at\) here ann@laptop/);
    expect(body.text.length).toBeLessThanOrEqual(4_000);
    expect(body.tags.every((tag: string) => tag.length <= 200)).toBe(true);
  });

  it('says what is wrong with its settings', () => {
    expect(problemsWith(datadog, { api_key: KEY, site: 'datadoghq.eu' })).toEqual([]);
    expect(problemsWith(datadog, { api_key: KEY, site: 'evil.example/x' })).toEqual([
      'site must be a site of Datadog, for example datadoghq.eu',
    ]);
    expect(problemsWith(datadog, { api_key: '', tags: 'a' })).toEqual([
      'api_key must be a text without blanks and line breaks',
      'tags must be a list of texts',
    ]);
  });
});
