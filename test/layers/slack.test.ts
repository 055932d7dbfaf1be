import { describe, expect, it } from 'vitest';
import slack from '../../src/layers/slack.js';
import { aService, HOSTILE, hostileRollout, notify, ROLLOUT, shown, textsIn } from './notified.js';

async function messageFor(name: keyof typeof ROLLOUT): Promise<string> {
  const service = await aService();
  expect(await notify(slack, { webhook: service.url }, [ROLLOUT[name]])).toEqual([]);
  const [received] = service.received;
  expect(received).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } });
  return shown(service.bodies()[0]);
}

describe('a message to Slack', () => {
  it('says that a rollout has started', async () => {
    expect(await messageFor('started')).toMatchInlineSnapshot(`
      "{
        text: 'Deploy of shop v2 to production has started',
        blocks: [
          {
            type: 'header',
            text: { type: 'plain_text', text: 'Deploy of shop v2 to production has started', emoji: false }
          }
        ],
        attachments: [
          {
            color: '#4a7ebb',
            blocks: [
              {
                type: 'rich_text',
                elements: [
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Release: ', style: { bold: true } },
                      { type: 'text', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Commits: ', style: { bold: true } },
                      { type: 'text', text: '9f8e7d6..1a2b3c4' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Droplets: ', style: { bold: true } },
                      { type: 'text', text: 'web-1, web-2, web-3' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'By: ', style: { bold: true } },
                      { type: 'text', text: 'ann@laptop' }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [ { type: 'link', url: 'https://ci.example.com/shop/runs/7', text: 'CI run' } ]
                  }
                ]
              }
            ]
          }
        ],
        unfurl_links: false,
        unfurl_media: false
      }"
    `);
  });

  it('says that it succeeded', async () => {
    expect(await messageFor('succeeded')).toMatchInlineSnapshot(`
      "{
        text: 'Deploy of shop v2 to production succeeded',
        blocks: [
          {
            type: 'header',
            text: { type: 'plain_text', text: 'Deploy of shop v2 to production succeeded', emoji: false }
          }
        ],
        attachments: [
          {
            color: '#2eb67d',
            blocks: [
              {
                type: 'rich_text',
                elements: [
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Release: ', style: { bold: true } },
                      { type: 'text', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Commits: ', style: { bold: true } },
                      { type: 'text', text: '9f8e7d6..1a2b3c4' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Droplets: ', style: { bold: true } },
                      { type: 'text', text: 'deployed: web-1, web-2; skipped: web-3' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Took: ', style: { bold: true } },
                      { type: 'text', text: '1 min 35 s' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Probes: ', style: { bold: true } },
                      {
                        type: 'text',
                        text: '1 of 41 failed, slowest 84 ms; the first at 07:45:30: HTTP 502'
                      },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'By: ', style: { bold: true } },
                      { type: 'text', text: 'ann@laptop' }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [ { type: 'link', url: 'https://ci.example.com/shop/runs/7', text: 'CI run' } ]
                  }
                ]
              }
            ]
          }
        ],
        unfurl_links: false,
        unfurl_media: false
      }"
    `);
  });

  it('says why it failed, and what to do', async () => {
    expect(await messageFor('failed')).toMatchInlineSnapshot(`
      "{
        text: 'Deploy of shop v2 to production failed',
        blocks: [
          {
            type: 'header',
            text: { type: 'plain_text', text: 'Deploy of shop v2 to production failed', emoji: false }
          }
        ],
        attachments: [
          {
            color: '#e01e5a',
            blocks: [
              {
                type: 'rich_text',
                elements: [
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Release: ', style: { bold: true } },
                      { type: 'text', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Commits: ', style: { bold: true } },
                      { type: 'text', text: '9f8e7d6..1a2b3c4' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Droplets: ', style: { bold: true } },
                      { type: 'text', text: 'deployed: web-1; deploy failed: web-2; not deployed: web-3' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Took: ', style: { bold: true } },
                      { type: 'text', text: '1 min 35 s' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'State: ', style: { bold: true } },
                      {
                        type: 'text',
                        text: '1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.'
                      },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'By: ', style: { bold: true } },
                      { type: 'text', text: 'ann@laptop' }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [
                      {
                        type: 'text',
                        text: 'web-2 (health): Not healthy within 120 s: app exited 137: out of memory.'
                      }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [ { type: 'text', text: 'Last lines of app on web-2' } ]
                  },
                  {
                    type: 'rich_text_preformatted',
                    elements: [ { type: 'text', text: 'Starting shop v2\\nHeap is 512 MB\\nKilled' } ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Give app more memory, then deploy again.' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Next: ' },
                      { type: 'text', text: 'do-deploy heal production', style: { code: true } },
                      { type: 'text', text: '\\n' },
                      { type: 'link', url: 'https://ci.example.com/shop/runs/7', text: 'CI run' }
                    ]
                  }
                ]
              }
            ]
          }
        ],
        unfurl_links: false,
        unfurl_media: false
      }"
    `);
  });

  it('says that it was rolled back', async () => {
    expect(await messageFor('rolledBack')).toMatchInlineSnapshot(`
      "{
        text: 'Deploy of shop v2 to production failed and was rolled back',
        blocks: [
          {
            type: 'header',
            text: {
              type: 'plain_text',
              text: 'Deploy of shop v2 to production failed and was rolled back',
              emoji: false
            }
          }
        ],
        attachments: [
          {
            color: '#e01e5a',
            blocks: [
              {
                type: 'rich_text',
                elements: [
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Release: ', style: { bold: true } },
                      { type: 'text', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Commits: ', style: { bold: true } },
                      { type: 'text', text: '9f8e7d6..1a2b3c4' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Droplets: ', style: { bold: true } },
                      { type: 'text', text: 'not deployed: web-1, web-3; reverted: web-2' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Took: ', style: { bold: true } },
                      { type: 'text', text: '1 min 35 s' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'State: ', style: { bold: true } },
                      { type: 'text', text: 'All 3 droplets are in rotation.' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'By: ', style: { bold: true } },
                      { type: 'text', text: 'ann@laptop' }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [
                      {
                        type: 'text',
                        text: 'web-2 (health): Not healthy within 120 s: app exited 137: out of memory.'
                      }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [ { type: 'text', text: 'Last lines of app on web-2' } ]
                  },
                  {
                    type: 'rich_text_preformatted',
                    elements: [ { type: 'text', text: 'Starting shop v2\\nHeap is 512 MB\\nKilled' } ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Give app more memory, then deploy again.' },
                      { type: 'text', text: '\\n' },
                      { type: 'link', url: 'https://ci.example.com/shop/runs/7', text: 'CI run' }
                    ]
                  }
                ]
              }
            ]
          }
        ],
        unfurl_links: false,
        unfurl_media: false
      }"
    `);
  });

  it('says that it was interrupted, and both ways on', async () => {
    expect(await messageFor('interrupted')).toMatchInlineSnapshot(`
      "{
        text: 'Deploy of shop v2 to production was interrupted',
        blocks: [
          {
            type: 'header',
            text: { type: 'plain_text', text: 'Deploy of shop v2 to production was interrupted', emoji: false }
          }
        ],
        attachments: [
          {
            color: '#ecb22e',
            blocks: [
              {
                type: 'rich_text',
                elements: [
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'Release: ', style: { bold: true } },
                      { type: 'text', text: '20261120T074500Z-v1 → 20261121T074500Z-v2' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Commits: ', style: { bold: true } },
                      { type: 'text', text: '9f8e7d6..1a2b3c4' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Droplets: ', style: { bold: true } },
                      { type: 'text', text: 'deployed: web-1; not deployed: web-2, web-3' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'Took: ', style: { bold: true } },
                      { type: 'text', text: '1 min 35 s' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'State: ', style: { bold: true } },
                      { type: 'text', text: 'All 3 droplets are in rotation.' },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'By: ', style: { bold: true } },
                      { type: 'text', text: 'ann@laptop' }
                    ]
                  },
                  {
                    type: 'rich_text_section',
                    elements: [
                      { type: 'text', text: 'To continue: ' },
                      { type: 'text', text: 'do-deploy production v2', style: { code: true } },
                      { type: 'text', text: '\\n' },
                      { type: 'text', text: 'To go back: ' },
                      { type: 'text', text: 'do-deploy rollback production', style: { code: true } },
                      { type: 'text', text: '\\n' },
                      { type: 'link', url: 'https://ci.example.com/shop/runs/7', text: 'CI run' }
                    ]
                  }
                ]
              }
            ]
          }
        ],
        unfurl_links: false,
        unfurl_media: false
      }"
    `);
  });

  it('holds no mention, link or markup of others', async () => {
    const service = await aService();
    expect(await notify(slack, { webhook: service.url }, [hostileRollout(HOSTILE)])).toEqual([]);
    const { text, ...shownParts } = service.bodies()[0];
    // Slack reads markup in texts of the type mrkdwn, and in `text`.
    expect(text).not.toMatch(/<|@[a-z]/);
    const types = textsIn(shownParts).flatMap((one) => (one.path.endsWith('.type') ? one.text : []));
    expect([...new Set(types)].sort()).toEqual([
      'header',
      'link',
      'plain_text',
      'rich_text',
      'rich_text_preformatted',
      'rich_text_section',
      'text',
    ]);
    const links = textsIn(shownParts).flatMap((one) => (one.path.endsWith('.url') ? one.text : []));
    expect(links).toEqual([expect.stringMatching(/^https:\/\/ci\.example\.com\/[\w\-.~:/?#&+,;=%]+$/)]);
  });

  it('keeps to the limits of Slack', async () => {
    const service = await aService();
    await notify(slack, { webhook: service.url }, [hostileRollout('\u{1f600}'.repeat(5_000))]);
    const { blocks, attachments } = service.bodies()[0];
    expect(blocks[0].text.text.length).toBeLessThanOrEqual(150);
    const { elements } = attachments[0].blocks[0];
    for (const { text } of textsIn(elements)) expect(text.length).toBeLessThanOrEqual(6_000);
    expect(service.received[0]?.body.length).toBeLessThan(40_000);
    expect(service.received[0]?.body).not.toMatch(/\\ud[89a-f]/);
  });
});
