import { describe, expect, it } from 'vitest';
import { fitting, line, type Notification, notificationOf, plainLines } from '../../src/layers/notification.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { aRow } from '../support/scripted-events.js';
import { CI_RUN, hostileRollout, ROLLOUT } from './notified.js';

function failedWith(changes: Partial<DeployResult>): Notification {
  return notificationOf({
    ...ROLLOUT.failed,
    result: { ...ROLLOUT.failed.result, ...changes } as DeployResult,
  }) as Notification;
}

function fact(notification: Notification | undefined, label: string): string | undefined {
  return notification?.facts.find((one) => one.label === label)?.text;
}

describe('a notification', () => {
  it('is made of nothing but the start and the endings that changed something', () => {
    expect(notificationOf({ ...ROLLOUT.started, event: 'after_batch' })).toBeUndefined();
    expect(notificationOf(ROLLOUT.skipped)).toBeUndefined();
  });

  it.each([
    ['deploy', 'Deploy of shop v2 to production has started'],
    ['rollback', 'Rollback of shop v2 on production has started'],
    ['heal', 'Heal of shop v2 on production has started'],
    ['adopt', 'Adoption of shop v2 on production has started'],
  ] as const)('names the command %s', (command, title) => {
    expect(notificationOf({ ...ROLLOUT.started, command })?.title).toBe(title);
  });

  it('says which releases and commits are meant', () => {
    const { started } = ROLLOUT;
    const { release } = started;
    const commits = (changes: object) => {
      const notification = notificationOf({ ...started, ...changes });
      return fact(notification, 'Commit') ?? fact(notification, 'Commits');
    };
    expect(commits({})).toBe('9f8e7d6..1a2b3c4');
    expect(commits({ previousCommit: undefined })).toBe('1a2b3c4');
    expect(commits({ previousCommit: release.commit, release: { ...release, dirty: true } })).toBe(
      '1a2b3c4, with uncommitted changes',
    );
    expect(commits({ release: { id: 'r2', imageTag: 'v2' } })).toBeUndefined();
    const releases = (previous: string[]) => fact(notificationOf({ ...started, previous }), 'Release');
    expect(releases([])).toBe(release.id);
    expect(releases([release.id])).toBe(release.id);
    expect(releases(['r0', 'r1', release.id])).toBe(`r0, r1 → ${release.id}`);
  });

  it('lists a few droplets of many', () => {
    const droplets = Array.from({ length: 200 }, (_, index) => `web-${index + 1}`);
    expect(fact(notificationOf({ ...ROLLOUT.started, droplets }), 'Droplets')).toBe(
      'web-1, web-2, web-3, web-4, web-5 and 195 more',
    );
    const rows = droplets.map((name, index) => aRow(index, { name, outcome: index < 7 ? 'deployed' : 'not deployed' }));
    expect(fact(failedWith({ rows }), 'Droplets')).toBe(
      'deployed: web-1, web-2, web-3, web-4, web-5 and 2 more; ' +
        'not deployed: web-8, web-9, web-10, web-11, web-12 and 188 more',
    );
  });

  it('quotes the container that is to blame, its health check if it printed nothing', () => {
    const well = { service: 'nginx', state: 'running', health: 'healthy', restarts: 0, log: ['GET / 200'] };
    const sick = {
      service: 'app',
      state: 'running',
      health: 'unhealthy',
      restarts: 0,
      healthOutput: ['503', 'no\nyes'],
    };
    const quoted = (containers: object[]) =>
      failedWith({ evidence: [{ droplet: 'web-2', evidence: { cause: '', containers } }] } as Partial<DeployResult>)
        .log;
    expect(quoted([well, sick])).toEqual({ title: 'Health check output of app on web-2', lines: ['503', 'no', 'yes'] });
    expect(quoted([well])).toEqual({ title: 'Last lines of nginx on web-2', lines: ['GET / 200'] });
    expect(quoted([{ ...sick, healthOutput: [] }])).toBeUndefined();
    const log = Array.from({ length: 50 }, (_, index) => `line ${index + 1}`);
    expect(quoted([{ ...sick, log }])?.lines).toEqual(log.slice(40));
  });

  it('repeats no command that a hint names', () => {
    const error = { ...ROLLOUT.failed.result?.error, hint: 'Run: do-deploy heal production' } as DeployResult['error'];
    expect(failedWith({ error }).advice).toBeUndefined();
    expect(failedWith({ error, next: undefined }).advice).toBe('Run: do-deploy heal production');
  });

  it.each([
    [CI_RUN, CI_RUN],
    ['https://ci.example.com/a b)[x](y)"<@c>|', 'https://ci.example.com/a%20b%29%5Bx%5D%28y%29%22%3C%40c%3E%7C'],
    ['javascript:alert(1)', undefined],
    ['https://me:token@ci.example.com', undefined],
    ['ci.example.com', undefined],
    [`https://ci.example.com/${'x'.repeat(2_000)}`, undefined],
  ])('links to %s as %s', (url, link) => {
    expect(notificationOf({ ...ROLLOUT.started, url })?.url).toBe(link);
  });

  it('holds one line without control characters in each text, however much it was given', () => {
    const notification = notificationOf(
      hostileRollout(`a\u0000\u001b[2J\r\n\u202e\u2028\ud800${'\u{1f600}'.repeat(100_000)}`),
    );
    const lines = plainLines(notification as Notification);
    expect(lines.join('').length).toBeLessThan(10_000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are the matter
    for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    for (const line of lines) expect(() => encodeURIComponent(line)).not.toThrow();
  });

  it('becomes shorter until it fits', () => {
    const notification = notificationOf(hostileRollout('x'.repeat(5_000))) as Notification;
    const sizes = [100_000, 5_000, 1_500].map((limit) => {
      const text = fitting(
        notification,
        limit,
        (one) => plainLines(one).join('\n'),
        (one) => one.length,
      );
      expect(text.length).toBeLessThanOrEqual(limit);
      return text.length;
    });
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(sizes[2]).toBeGreaterThan(500);
  });
});

it('a line keeps together what characters that cannot be seen stand between, so that a secret is still masked', () => {
  expect(line('it is app-\u200bsecret-\u00ad4f1b\u2060 now')).toBe('it is app-secret-4f1b now');
});
