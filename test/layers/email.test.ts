import { describe, expect, it } from 'vitest';
import email from '../../src/layers/email.js';
import { aMailServer, USERS } from './mail-server.js';
import { HOSTILE, hostileRollout, notify, ROLLOUT } from './notified.js';

async function mailFor(name: keyof typeof ROLLOUT): Promise<string> {
  const { mails, smtp } = await aMailServer();
  expect(await notify(email, { smtp, ...USERS }, [ROLLOUT[name]])).toEqual([]);
  return `${mails[0]?.headers.subject}\n\n${mails[0]?.text}`;
}

describe('a mail', () => {
  it('says that a rollout has started, and another one in its thread why it failed', async () => {
    const { mails, smtp } = await aMailServer();
    expect(await notify(email, { smtp, ...USERS }, [ROLLOUT.started, ROLLOUT.failed])).toEqual([]);
    const [first, second] = mails;
    expect(first).toMatchObject({
      from: 'deploys@example.com',
      to: ['ops@example.com', 'ann@example.com'],
      headers: {
        from: 'Deploys <deploys@example.com>',
        to: 'ops@example.com, Ann Lee <ann@example.com>',
        subject: 'Deploy of shop v2 to production has started',
        'auto-submitted': 'auto-generated',
      },
    });
    expect(first?.text).toMatchInlineSnapshot(`
      "Deploy of shop v2 to production has started.

      Release: 20261120T074500Z-v1 → 20261121T074500Z-v2
      Commits: 9f8e7d6..1a2b3c4
      Droplets: web-1, web-2, web-3
      By: ann@laptop

      CI run: https://ci.example.com/shop/runs/7
      "
    `);
    const id = first?.headers['message-id'];
    expect(second?.headers).toMatchObject({
      subject: 'Deploy of shop v2 to production failed',
      'in-reply-to': id,
      references: id,
    });
    expect(second?.text).toMatchInlineSnapshot(`
      "Deploy of shop v2 to production failed.

      Release: 20261120T074500Z-v1 → 20261121T074500Z-v2
      Commits: 9f8e7d6..1a2b3c4
      Droplets: deployed: web-1; deploy failed: web-2; not deployed: web-3
      Took: 1 min 35 s
      State: 1 droplet is out of rotation and recorded as such; 2 of 3 are in rotation.
      By: ann@laptop

      web-2 (health): Not healthy within 120 s: app exited 137: out of memory.

      Last lines of app on web-2
        | Starting shop v2
        | Heap is 512 MB
        | Killed

      Give app more memory, then deploy again.
      Next: do-deploy heal production

      CI run: https://ci.example.com/shop/runs/7
      "
    `);
  });

  it('says that it succeeded', async () => {
    expect(await mailFor('succeeded')).toMatchInlineSnapshot(`
      "Deploy of shop v2 to production succeeded

      Deploy of shop v2 to production succeeded.

      Release: 20261120T074500Z-v1 → 20261121T074500Z-v2
      Commits: 9f8e7d6..1a2b3c4
      Droplets: deployed: web-1, web-2; skipped: web-3
      Took: 1 min 35 s
      Probes: 1 of 41 failed, slowest 84 ms; the first at 07:45:30: HTTP 502
      By: ann@laptop

      CI run: https://ci.example.com/shop/runs/7
      "
    `);
  });

  it('says that it was rolled back', async () => {
    expect(await mailFor('rolledBack')).toMatchInlineSnapshot(`
      "Deploy of shop v2 to production failed and was rolled back

      Deploy of shop v2 to production failed and was rolled back.

      Release: 20261120T074500Z-v1 → 20261121T074500Z-v2
      Commits: 9f8e7d6..1a2b3c4
      Droplets: not deployed: web-1, web-3; reverted: web-2
      Took: 1 min 35 s
      State: All 3 droplets are in rotation.
      By: ann@laptop

      web-2 (health): Not healthy within 120 s: app exited 137: out of memory.

      Last lines of app on web-2
        | Starting shop v2
        | Heap is 512 MB
        | Killed

      Give app more memory, then deploy again.

      CI run: https://ci.example.com/shop/runs/7
      "
    `);
  });

  it('says that it was interrupted, and both ways on', async () => {
    expect(await mailFor('interrupted')).toMatchInlineSnapshot(`
      "Deploy of shop v2 to production was interrupted

      Deploy of shop v2 to production was interrupted.

      Release: 20261120T074500Z-v1 → 20261121T074500Z-v2
      Commits: 9f8e7d6..1a2b3c4
      Droplets: deployed: web-1; not deployed: web-2, web-3
      Took: 1 min 35 s
      State: All 3 droplets are in rotation.
      By: ann@laptop

      To continue: do-deploy production v2
      To go back: do-deploy rollback production

      CI run: https://ci.example.com/shop/runs/7
      "
    `);
  });

  it('is not sent when nothing was to be done', async () => {
    const { mails, smtp } = await aMailServer();
    expect(await notify(email, { smtp, ...USERS }, [ROLLOUT.skipped])).toEqual([]);
    expect(mails).toEqual([]);
  });

  it('has no headers of others, and no control characters', async () => {
    const { mails, smtp } = await aMailServer();
    const hostile = hostileRollout(`x\r\nBcc: eve@example.com\r\n\r\nhello\r\n.\r\nQUIT\r\n${HOSTILE}`);
    expect(await notify(email, { smtp, ...USERS }, [hostile])).toEqual([]);
    expect(mails).toHaveLength(1);
    expect(mails[0]?.to).toEqual(['ops@example.com', 'ann@example.com']);
    expect(Object.keys(mails[0]?.headers ?? {}).sort()).toEqual([
      'auto-submitted',
      'content-transfer-encoding',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'subject',
      'to',
    ]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the matter
    expect(mails[0]?.text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e]/);
  });
});
