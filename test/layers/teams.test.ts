import { describe, expect, it } from 'vitest';
import teams from '../../src/layers/teams.js';
import { aService, HOSTILE, hostileRollout, notify, ROLLOUT, shown, textsIn } from './notified.js';

async function messageFor(name: keyof typeof ROLLOUT): Promise<string> {
  const service = await aService();
  expect(await notify(teams, { webhook: service.url }, [ROLLOUT[name]])).toEqual([]);
  const [received] = service.received;
  expect(received).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } });
  return shown(service.bodies()[0]);
}

describe('a message to Teams', () => {
  it('says that a rollout has started', async () => {
    expect(await messageFor('started')).toMatchInlineSnapshot(`
      "{
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            contentUrl: null,
            content: {
              '$schema': 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.4',
              msteams: { width: 'Full' },
              body: [
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'Deploy of shop v2 to production has started',
                      size: 'Large',
                      weight: 'Bolder',
                      color: 'Accent'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Release: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Commits: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '9f8e7d6..1a2b3c4' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Droplets: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'web-1, web-2, web-3' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'By: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'ann@laptop' }
                  ]
                }
              ],
              actions: [ { type: 'Action.OpenUrl', title: 'CI run', url: 'https://ci.example.com/shop/runs/7' } ]
            }
          }
        ]
      }"
    `);
  });

  it('says that it succeeded', async () => {
    expect(await messageFor('succeeded')).toMatchInlineSnapshot(`
      "{
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            contentUrl: null,
            content: {
              '$schema': 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.4',
              msteams: { width: 'Full' },
              body: [
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'Deploy of shop v2 to production succeeded',
                      size: 'Large',
                      weight: 'Bolder',
                      color: 'Good'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Release: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Commits: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '9f8e7d6..1a2b3c4' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Droplets: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'deployed: web-1, web-2; skipped: web-3' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Took: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '1 min 35 s' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Probes: ', weight: 'Bolder' },
                    {
                      type: 'TextRun',
                      text: '1 of 41 failed, slowest 84 ms; the first at 07:45:30: HTTP 502'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'By: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'ann@laptop' }
                  ]
                }
              ],
              actions: [ { type: 'Action.OpenUrl', title: 'CI run', url: 'https://ci.example.com/shop/runs/7' } ]
            }
          }
        ]
      }"
    `);
  });

  it('says why it failed, and what to do', async () => {
    expect(await messageFor('failed')).toMatchInlineSnapshot(`
      "{
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            contentUrl: null,
            content: {
              '$schema': 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.4',
              msteams: { width: 'Full' },
              body: [
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'Deploy of shop v2 to production failed',
                      size: 'Large',
                      weight: 'Bolder',
                      color: 'Attention'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Release: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Commits: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '9f8e7d6..1a2b3c4' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Droplets: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'deployed: web-1; deploy failed: web-2; not deployed: web-3' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Took: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '1 min 35 s' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'State: ', weight: 'Bolder' },
                    {
                      type: 'TextRun',
                      text: '1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'By: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'ann@laptop' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'web-2 (health): Not healthy within 120 s: app exited 137: out of memory.'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [ { type: 'TextRun', text: 'Last lines of app on web-2' } ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'None',
                  inlines: [ { type: 'TextRun', text: 'Starting shop v2', fontType: 'Monospace' } ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'None',
                  inlines: [ { type: 'TextRun', text: 'Heap is 512 MB', fontType: 'Monospace' } ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'None',
                  inlines: [ { type: 'TextRun', text: 'Killed', fontType: 'Monospace' } ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [ { type: 'TextRun', text: 'Give app more memory, then deploy again.' } ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [
                    { type: 'TextRun', text: 'Next: ' },
                    { type: 'TextRun', text: 'do-deploy heal production', fontType: 'Monospace' }
                  ]
                }
              ],
              actions: [ { type: 'Action.OpenUrl', title: 'CI run', url: 'https://ci.example.com/shop/runs/7' } ]
            }
          }
        ]
      }"
    `);
  });

  it('says that it was rolled back', async () => {
    expect(await messageFor('rolledBack')).toMatchInlineSnapshot(`
      "{
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            contentUrl: null,
            content: {
              '$schema': 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.4',
              msteams: { width: 'Full' },
              body: [
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'Deploy of shop v2 to production failed and was rolled back',
                      size: 'Large',
                      weight: 'Bolder',
                      color: 'Attention'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Release: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Commits: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '9f8e7d6..1a2b3c4' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Droplets: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'not deployed: web-1, web-3; reverted: web-2' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Took: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '1 min 35 s' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'State: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'All 3 droplets are in rotation.' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'By: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'ann@laptop' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'web-2 (health): Not healthy within 120 s: app exited 137: out of memory.'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [ { type: 'TextRun', text: 'Last lines of app on web-2' } ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'None',
                  inlines: [ { type: 'TextRun', text: 'Starting shop v2', fontType: 'Monospace' } ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'None',
                  inlines: [ { type: 'TextRun', text: 'Heap is 512 MB', fontType: 'Monospace' } ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'None',
                  inlines: [ { type: 'TextRun', text: 'Killed', fontType: 'Monospace' } ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [ { type: 'TextRun', text: 'Give app more memory, then deploy again.' } ]
                }
              ],
              actions: [ { type: 'Action.OpenUrl', title: 'CI run', url: 'https://ci.example.com/shop/runs/7' } ]
            }
          }
        ]
      }"
    `);
  });

  it('says that it was interrupted, and both ways on', async () => {
    expect(await messageFor('interrupted')).toMatchInlineSnapshot(`
      "{
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            contentUrl: null,
            content: {
              '$schema': 'http://adaptivecards.io/schemas/adaptive-card.json',
              type: 'AdaptiveCard',
              version: '1.4',
              msteams: { width: 'Full' },
              body: [
                {
                  type: 'RichTextBlock',
                  inlines: [
                    {
                      type: 'TextRun',
                      text: 'Deploy of shop v2 to production was interrupted',
                      size: 'Large',
                      weight: 'Bolder',
                      color: 'Warning'
                    }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Release: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Commits: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '9f8e7d6..1a2b3c4' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Droplets: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'deployed: web-1; not deployed: web-2, web-3' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'Took: ', weight: 'Bolder' },
                    { type: 'TextRun', text: '1 min 35 s' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'State: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'All 3 droplets are in rotation.' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  spacing: 'Small',
                  inlines: [
                    { type: 'TextRun', text: 'By: ', weight: 'Bolder' },
                    { type: 'TextRun', text: 'ann@laptop' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [
                    { type: 'TextRun', text: 'To continue: ' },
                    { type: 'TextRun', text: 'do-deploy production v2', fontType: 'Monospace' }
                  ]
                },
                {
                  type: 'RichTextBlock',
                  inlines: [
                    { type: 'TextRun', text: 'To go back: ' },
                    { type: 'TextRun', text: 'do-deploy rollback production', fontType: 'Monospace' }
                  ]
                }
              ],
              actions: [ { type: 'Action.OpenUrl', title: 'CI run', url: 'https://ci.example.com/shop/runs/7' } ]
            }
          }
        ]
      }"
    `);
  });

  it('holds no link or markup of others', async () => {
    const service = await aService();
    expect(await notify(teams, { webhook: service.url }, [hostileRollout(HOSTILE)])).toEqual([]);
    const { body } = service.bodies()[0].attachments[0].content;
    // Teams reads Markdown in the types TextBlock and FactSet, and mentions only with `entities`.
    const types = textsIn(body).flatMap((one) => (one.path.endsWith('.type') ? one.text : []));
    expect([...new Set(types)].sort()).toEqual(['RichTextBlock', 'TextRun']);
    expect(service.received[0]?.body).not.toMatch(/\{\{|"entities"/);
  });

  it.each(['*', '\u{1f600}', '\u0fd0'])('keeps to the limit of Teams with a lot of %s', async (character) => {
    const service = await aService();
    await notify(teams, { webhook: service.url }, [hostileRollout(character.repeat(5_000))]);
    expect(Buffer.byteLength(service.received[0]?.body ?? '')).toBeLessThan(20_001);
  });
});
