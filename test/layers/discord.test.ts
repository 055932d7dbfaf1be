import { describe, expect, it } from 'vitest';
import discord from '../../src/layers/discord.js';
import { aService, expectLiteral, HOSTILE, hostileRollout, notify, ROLLOUT, shown, textsIn } from './notified.js';

async function messageFor(name: keyof typeof ROLLOUT): Promise<string> {
  const service = await aService();
  expect(await notify(discord, { webhook: service.url }, [ROLLOUT[name]])).toEqual([]);
  const [received] = service.received;
  expect(received).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } });
  return shown(service.bodies()[0]);
}

describe('a message to Discord', () => {
  it('says that a rollout has started', async () => {
    expect(await messageFor('started')).toMatchInlineSnapshot(`
      "{
        allowed_mentions: { parse: [] },
        embeds: [
          {
            title: 'Deploy of shop v2 to production has started',
            color: 5793266,
            description: '[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { name: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', inline: false },
              { name: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', inline: true },
              { name: 'Droplets', value: 'web-1, web-2, web-3', inline: true },
              { name: 'By', value: 'ann@\\u200blaptop', inline: true }
            ],
            timestamp: '2026-11-21T07:45:00.000Z'
          }
        ]
      }"
    `);
  });

  it('says that it succeeded', async () => {
    expect(await messageFor('succeeded')).toMatchInlineSnapshot(`
      "{
        allowed_mentions: { parse: [] },
        embeds: [
          {
            title: 'Deploy of shop v2 to production succeeded',
            color: 3061373,
            description: '[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { name: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', inline: false },
              { name: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', inline: true },
              { name: 'Droplets', value: 'deployed: web-1, web-2; skipped: web-3', inline: true },
              { name: 'Took', value: '1 min 35 s', inline: true },
              {
                name: 'Probes',
                value: '1 of 41 failed, slowest 84 ms; the first at 07:\\u200b45:\\u200b30: HTTP 502',
                inline: false
              },
              { name: 'By', value: 'ann@\\u200blaptop', inline: true }
            ],
            timestamp: '2026-11-21T07:45:00.000Z'
          }
        ]
      }"
    `);
  });

  it('says why it failed, and what to do', async () => {
    expect(await messageFor('failed')).toMatchInlineSnapshot(`
      "{
        allowed_mentions: { parse: [] },
        embeds: [
          {
            title: 'Deploy of shop v2 to production failed',
            color: 14687834,
            description: 'web-2 \\\\(health\\\\): Not healthy within 120 s: app exited 137: out of memory\\\\.\\n' +
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
              { name: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', inline: false },
              { name: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', inline: true },
              {
                name: 'Droplets',
                value: 'deployed: web-1; deploy failed: web-2; not deployed: web-3',
                inline: false
              },
              { name: 'Took', value: '1 min 35 s', inline: true },
              {
                name: 'State',
                value: '1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation\\\\.',
                inline: false
              },
              { name: 'By', value: 'ann@\\u200blaptop', inline: true }
            ],
            timestamp: '2026-11-21T07:45:00.000Z'
          }
        ]
      }"
    `);
  });

  it('says that it was rolled back', async () => {
    expect(await messageFor('rolledBack')).toMatchInlineSnapshot(`
      "{
        allowed_mentions: { parse: [] },
        embeds: [
          {
            title: 'Deploy of shop v2 to production failed and was rolled back',
            color: 14687834,
            description: 'web-2 \\\\(health\\\\): Not healthy within 120 s: app exited 137: out of memory\\\\.\\n' +
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
              { name: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', inline: false },
              { name: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', inline: true },
              { name: 'Droplets', value: 'not deployed: web-1, web-3; reverted: web-2', inline: false },
              { name: 'Took', value: '1 min 35 s', inline: true },
              { name: 'State', value: 'All 3 droplets are in rotation\\\\.', inline: true },
              { name: 'By', value: 'ann@\\u200blaptop', inline: true }
            ],
            timestamp: '2026-11-21T07:45:00.000Z'
          }
        ]
      }"
    `);
  });

  it('says that it was interrupted, and both ways on', async () => {
    expect(await messageFor('interrupted')).toMatchInlineSnapshot(`
      "{
        allowed_mentions: { parse: [] },
        embeds: [
          {
            title: 'Deploy of shop v2 to production was interrupted',
            color: 15512110,
            description: 'To continue: \`do-deploy production v2\`\\n' +
              'To go back: \`do-deploy rollback production\`\\n' +
              '\\n' +
              '[CI run](https://ci.example.com/shop/runs/7)',
            fields: [
              { name: 'Release', value: '20261120T074500Z-v1 → 20261121T074500Z-v2', inline: false },
              { name: 'Commits', value: '9f8e7d6\\\\.\\\\.1a2b3c4', inline: true },
              { name: 'Droplets', value: 'deployed: web-1; not deployed: web-2, web-3', inline: false },
              { name: 'Took', value: '1 min 35 s', inline: true },
              { name: 'State', value: 'All 3 droplets are in rotation\\\\.', inline: true },
              { name: 'By', value: 'ann@\\u200blaptop', inline: true }
            ],
            timestamp: '2026-11-21T07:45:00.000Z'
          }
        ]
      }"
    `);
  });

  it('holds no mention, link or markup of others', async () => {
    const service = await aService();
    expect(await notify(discord, { webhook: service.url }, [hostileRollout(HOSTILE)])).toEqual([]);
    const { allowed_mentions, embeds } = service.bodies()[0];
    expect(allowed_mentions).toEqual({ parse: [] });
    for (const { text } of textsIn(embeds)) expect(text).not.toMatch(/@[a-z]/i);
    const { value } = embeds[0].fields[0];
    expect(shown(value)).toMatchInlineSnapshot(
      `"'@\\u200bchannel @\\u200beveryone \\\\<\\\\!channel\\\\> \\\\<@\\u200bU012\\\\> \\\\<at\\\\>a\\\\</at\\\\> \\\\[x\\\\]\\\\(https:\\u200b//evil\\\\.example\\\\) https:\\u200b//evil\\\\.example www\\\\.evil\\\\.example evil\\\\.example/x \\\\*\\\\*b\\\\*\\\\* \\\\_i\\\\_ \\\\~\\u200b\\\\~\\u200bs\\\\~\\u200b\\\\~\\u200b \\\\|\\\\|p\\\\|\\\\| \\\\\`c\\\\\` \\\\\`\\\\\`\\\\\`f\\\\\`\\\\\`\\\\\` \\\\<b\\\\>h\\\\</b\\\\> & \\\\~\\u200btown \\\\#\\u200btag :\\u200bsmile: $x$ \\\\{\\\\{DATE\\\\(2026-01-01T00:\\u200b00:\\u200b00Z\\\\)\\\\}\\\\} \\\\#\\u200b head \\\\- item 1\\\\. one \\\\> quote'"`,
    );
    const [cause] = embeds[0].description.split('\n\n');
    for (const text of [value, embeds[0].title, cause]) expectLiteral(text);
    expect(embeds[0].description.match(/```/g)).toHaveLength(2);
  });

  it.each(['*', '`', 'x', '\u{1f600}'])('keeps to the limits of Discord with a lot of %s', async (character) => {
    const service = await aService();
    await notify(discord, { webhook: service.url }, [hostileRollout(character.repeat(5_000))]);
    const { title, description, fields } = service.bodies()[0].embeds[0];
    const texts = textsIn({ title, description, fields });
    expect(texts.map(({ text }) => text).join('').length).toBeLessThanOrEqual(6_000);
    expect(title.length).toBeLessThanOrEqual(256);
    expect(description.length).toBeLessThanOrEqual(4_096);
    for (const { value } of fields) expect(value.length).toBeLessThanOrEqual(1_024);
  });
});

describe('the message of a rollout', () => {
  const id = '1310000000000000001';
  const withId = () => aService((response) => response.end(JSON.stringify({ id, content: '' })));

  it('is sent once and changed when the rollout ends, in the thread that the address names', async () => {
    const service = await withId();
    const webhook = `${service.url}?thread_id=77`;
    expect(await notify(discord, { webhook }, [ROLLOUT.started, ROLLOUT.succeeded])).toEqual([]);
    const path = new URL(service.url).pathname;
    expect(service.received.map((one) => `${one.method} ${one.path}`)).toEqual([
      `POST ${path}?thread_id=77&wait=true`,
      `PATCH ${path}/messages/${id}?thread_id=77`,
    ]);
    const [first, second] = service.bodies();
    expect(second.embeds[0].title).toBe('Deploy of shop v2 to production succeeded');
    expect(first.allowed_mentions).toEqual(second.allowed_mentions);
  });

  it('is sent again if it was deleted meanwhile', async () => {
    const service = await aService((response, { method }) => {
      response.statusCode = method === 'PATCH' ? 404 : 200;
      response.end(JSON.stringify({ id }));
    });
    expect(await notify(discord, { webhook: service.url }, [ROLLOUT.started, ROLLOUT.failed])).toEqual([]);
    expect(service.received.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST']);
  });

  it.each(['ok', '{"id":"../../other"}', '{"id":7}', '[]', 'null', ''])(
    'is followed by another one if the answer is %j',
    async (answer) => {
      const service = await aService((response) => response.end(answer));
      expect(await notify(discord, { webhook: service.url }, [ROLLOUT.started, ROLLOUT.succeeded])).toEqual([]);
      expect(service.received.map(({ method }) => method)).toEqual(['POST', 'POST']);
    },
  );

  it('belongs to one run', async () => {
    const service = await withId();
    await notify(discord, { webhook: service.url }, [ROLLOUT.started]);
    await notify(discord, { webhook: service.url }, [ROLLOUT.succeeded]);
    expect(service.received.map(({ method }) => method)).toEqual(['POST', 'POST']);
  });
});
