import { describe, expect, it } from 'vitest';
import grafana from '../../src/layers/grafana.js';
import { layerWith, problemsWith, startService } from './service.js';

const TOKEN = 'glsa_0123456789abcdef';
const BEGUN = Date.parse('2026-11-21T07:45:30Z');
const ENDED = Date.parse('2026-11-21T07:47:31Z');

async function setup(settings: object = {}, ...answers: Parameters<typeof startService>) {
  const usual = { body: '{"message":"Annotation added","id":17}' };
  const { url, requests } = await startService(...(answers.length > 0 ? answers : [usual]));
  const layer = await layerWith(grafana, { url: `${url}/grafana/`, token: TOKEN, ...settings });
  return { ...layer, requests, calls: () => requests.map(({ method, path }) => `${method} ${path}`) };
}

describe('grafana', () => {
  it('creates an annotation when rolling begins, and makes it a region at the end', async () => {
    const { raise, requests } = await setup({ tags: ['web'], dashboard: 'jcIIG-07z' });
    await raise('deploy');
    await raise('deploy_succeeded', { url: 'https://ci.example.com/?a=1&b="2"' });
    expect(requests).toMatchObject([
      {
        method: 'POST',
        path: '/grafana/api/annotations',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: { dashboardUID: 'jcIIG-07z', time: BEGUN, tags: ['deploy', 'shop', 'production', 'started', 'web'] },
      },
      {
        method: 'PATCH',
        path: '/grafana/api/annotations/17',
        body: { time: BEGUN, timeEnd: ENDED, tags: ['deploy', 'shop', 'production', 'succeeded', 'web'] },
      },
    ]);
    expect(requests[0]?.body).not.toHaveProperty('timeEnd');
    expect(requests[0]?.body.text).toMatch(/^Deploy of shop v2 to production has started\nRelease: 2026/);
    expect(requests[1]?.body.text).toMatch(/\n<a href="https:\/\/ci\.example\.com\/\?a=1&amp;b=%222%22">CI run<\/a>$/);
  });

  it('creates a region at the end if the run failed before rolling', async () => {
    const { raise, requests } = await setup();
    await raise('deploy_failed');
    expect(requests).toMatchObject([{ method: 'POST', body: { time: ENDED - 151_000, timeEnd: ENDED } }]);
    expect(requests[0]?.body).not.toHaveProperty('dashboardUID');
    expect(requests[0]?.body.text).toContain('\nWhy: web-2 (health): Not healthy within 120 s.');
  });

  it.each([
    ['an id that is text', '{"id":"../../users"}'],
    ['no JSON', '<html>'],
    ['nothing', ''],
  ])('creates a region at the end if Grafana answered with %s', async (_, body) => {
    const { raise, calls } = await setup({}, { body });
    await raise('deploy');
    await raise('deploy_succeeded');
    expect(calls()).toEqual(['POST /grafana/api/annotations', 'POST /grafana/api/annotations']);
  });

  it('begins another one with the next run', async () => {
    const { raise, calls } = await setup();
    await raise('deploy');
    await raise('deploy_failed');
    await raise('deploy_failed');
    expect(calls().map((call) => call.split(' ')[0])).toEqual(['POST', 'PATCH', 'POST']);
  });

  it('shows hostile text as text', async () => {
    const { raise, requests } = await setup();
    await raise('deploy', { who: '<script>alert("x")</script>\u001b[2J\n& more', url: 'javascript:alert(1)' });
    const { text } = requests[0]?.body ?? {};
    expect(text).toContain('By: &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more');
    expect(text).not.toContain('javascript:');
  });

  it('does nothing where nothing was deployed', async () => {
    const { raise, requests } = await setup();
    await raise('deploy_skipped');
    expect(requests).toEqual([]);
  });

  it('says what is wrong with its settings', () => {
    expect(problemsWith(grafana, { url: 'https://grafana.example.com', token: TOKEN })).toEqual([]);
    expect(problemsWith(grafana, { url: 'file:///etc/passwd', token: 'a b', dashboard: '../x' })).toEqual([
      'url must be an address that begins with https:// or http://, without a user, a password and a query',
      'token must be a text without blanks and line breaks',
      'dashboard must be the UID of a dashboard: the part of its address after /d/',
    ]);
  });
});
