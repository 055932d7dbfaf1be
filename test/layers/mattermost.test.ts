import { describe, expect, it } from 'vitest';
import mattermost from '../../src/layers/mattermost.js';
import { aService, expectLiteral, HOSTILE, hostileRollout, notify, ROLLOUT, shown, textsIn } from './notified.js';

async function messageFor(name: keyof typeof ROLLOUT): Promise<string> {
  const service = await aService();
  expect(await notify(mattermost, { webhook: service.url }, [ROLLOUT[name]])).toEqual([]);
  const [received] = service.received;
  expect(received).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } });
  return shown(service.bodies()[0]);
}

describe('a message to Mattermost', () => {
  it('says that a rollout has started', async () => {
    expect(await messageFor('started')).toMatchInlineSnapshot(`
      "{
        attachments: [
          {
            fallback: 'Deploy of shop v2 to production has started',
            color: '#4a7ebb',
            text: '**Deploy of shop v2 to production has started**\\n\\n[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { title: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', short: false },
              { title: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', short: true },
              { title: 'Droplets', value: 'web-1, web-2, web-3', short: true },
              { title: 'By', value: 'ann@\\u200blaptop', short: true }
            ]
          }
        ]
      }"
    `);
  });

  it('says that it succeeded', async () => {
    expect(await messageFor('succeeded')).toMatchInlineSnapshot(`
      "{
        attachments: [
          {
            fallback: 'Deploy of shop v2 to production succeeded',
            color: '#2eb67d',
            text: '**Deploy of shop v2 to production succeeded**\\n\\n[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { title: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', short: false },
              { title: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', short: true },
              { title: 'Droplets', value: 'deployed: web-1, web-2; skipped: web-3', short: true },
              { title: 'Took', value: '1 min 35 s', short: true },
              {
                title: 'Probes',
                value: '1 of 41 failed, slowest 84 ms; the first at 07:\\u200b45:\\u200b30: HTTP 502',
                short: false
              },
              { title: 'By', value: 'ann@\\u200blaptop', short: true }
            ]
          }
        ]
      }"
    `);
  });

  it('says why it failed, and what to do', async () => {
    expect(await messageFor('failed')).toMatchInlineSnapshot(`
      "{
        attachments: [
          {
            fallback: 'Deploy of shop v2 to production failed',
            color: '#e01e5a',
            text: '**Deploy of shop v2 to production failed**\\n' +
              '\\n' +
              'web-2 \\\\(health\\\\): Not healthy within 120 s: app exited 137: out of memory\\\\.\\n' +
              '\\n' +
              'Last lines of app on web-2\\n' +
              '\`\`\`\\n' +
              'Starting shop v2\\n' +
              'Heap is 512 MB\\n' +
              'Killed\\n' +
              '\`\`\`\\n' +
              '\\n' +
              'Give app more memory, then deploy again\\\\.\\n' +
              '\\n' +
              'Next: \`do-deploy heal production\`\\n' +
              '\\n' +
              '[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { title: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', short: false },
              { title: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', short: true },
              {
                title: 'Droplets',
                value: 'deployed: web-1; deploy failed: web-2; not deployed: web-3',
                short: false
              },
              { title: 'Took', value: '1 min 35 s', short: true },
              {
                title: 'State',
                value: '1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation\\\\.',
                short: false
              },
              { title: 'By', value: 'ann@\\u200blaptop', short: true }
            ]
          }
        ]
      }"
    `);
  });

  it('says that it was rolled back', async () => {
    expect(await messageFor('rolledBack')).toMatchInlineSnapshot(`
      "{
        attachments: [
          {
            fallback: 'Deploy of shop v2 to production failed and was rolled back',
            color: '#e01e5a',
            text: '**Deploy of shop v2 to production failed and was rolled back**\\n' +
              '\\n' +
              'web-2 \\\\(health\\\\): Not healthy within 120 s: app exited 137: out of memory\\\\.\\n' +
              '\\n' +
              'Last lines of app on web-2\\n' +
              '\`\`\`\\n' +
              'Starting shop v2\\n' +
              'Heap is 512 MB\\n' +
              'Killed\\n' +
              '\`\`\`\\n' +
              '\\n' +
              'Give app more memory, then deploy again\\\\.\\n' +
              '\\n' +
              '[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { title: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', short: false },
              { title: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', short: true },
              { title: 'Droplets', value: 'not deployed: web-1, web-3; reverted: web-2', short: false },
              { title: 'Took', value: '1 min 35 s', short: true },
              { title: 'State', value: 'All 3 droplets are in rotation\\\\.', short: true },
              { title: 'By', value: 'ann@\\u200blaptop', short: true }
            ]
          }
        ]
      }"
    `);
  });

  it('says that it was interrupted, and both ways on', async () => {
    expect(await messageFor('interrupted')).toMatchInlineSnapshot(`
      "{
        attachments: [
          {
            fallback: 'Deploy of shop v2 to production was interrupted',
            color: '#ecb22e',
            text: '**Deploy of shop v2 to production was interrupted**\\n' +
              '\\n' +
              'To continue: \`do-deploy production v2\`\\n' +
              'To go back: \`do-deploy rollback production\`\\n' +
              '\\n' +
              '[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { title: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', short: false },
              { title: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', short: true },
              { title: 'Droplets', value: 'deployed: web-1; not deployed: web-2, web-3', short: false },
              { title: 'Took', value: '1 min 35 s', short: true },
              { title: 'State', value: 'All 3 droplets are in rotation\\\\.', short: true },
              { title: 'By', value: 'ann@\\u200blaptop', short: true }
            ]
          }
        ]
      }"
    `);
  });

  it('holds no mention, link or markup of others', async () => {
    const service = await aService();
    expect(await notify(mattermost, { webhook: service.url }, [hostileRollout(HOSTILE)])).toEqual([]);
    const [attachment] = service.bodies()[0].attachments;
    for (const { text } of textsIn(attachment)) expect(text).not.toMatch(/@[a-z]/i);
    const { value } = attachment.fields[0];
    expect(shown(value)).toMatchInlineSnapshot(
      `"'@\\u200bchannel @\\u200beveryone &lt;\\u200b\\\\!channel\\\\> &lt;\\u200b@\\u200bU012\\\\> &lt;\\u200bat\\\\>a&lt;\\u200b/at\\\\> \\\\[x\\\\]\\\\(https:\\u200b//evil\\\\.example\\\\) https:\\u200b//evil\\\\.example www\\\\.evil\\\\.example evil\\\\.example/x \\\\*\\\\*b\\\\*\\\\* \\\\_i\\\\_ \\\\~\\u200b\\\\~\\u200bs\\\\~\\u200b\\\\~\\u200b \\\\|\\\\|p\\\\|\\\\| \\\\\`c\\\\\` \\\\\`\\\\\`\\\\\`f\\\\\`\\\\\`\\\\\` &lt;\\u200bb\\\\>h&lt;\\u200b/b\\\\> &amp; \\\\~\\u200btown \\\\#\\u200btag :\\u200bsmile: &#36;x&#36; \\\\{\\\\{DATE\\\\(2026-01-01T00:\\u200b00:\\u200b00Z\\\\)\\\\}\\\\} \\\\#\\u200b head \\\\- item 1\\\\. one \\\\> quote'"`,
    );
    // The cause, without what do-deploy itself marks up.
    const [title, cause] = attachment.text.split('\n\n');
    for (const text of [value, attachment.fallback, title.slice(2, -2), cause]) expectLiteral(text);
    expect(attachment.text.match(/```/g)).toHaveLength(2);
  });

  it('keeps to the limits of older servers', async () => {
    const service = await aService();
    await notify(mattermost, { webhook: service.url }, [hostileRollout('*'.repeat(5_000))]);
    expect(service.received[0]?.body.length).toBeLessThan(8_000);
    expect(service.received[0]?.body.length).toBeGreaterThan(2_000);
  });
});
