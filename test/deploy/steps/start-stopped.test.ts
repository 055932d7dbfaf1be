import { expect, it } from 'vitest';
import { readSurvey } from '../../../src/deploy/droplet/survey-command.js';
import { processCommand } from '../../../src/deploy/session/one-off-commands.js';
import { startStoppedCommand } from '../../../src/deploy/steps/start-stopped.js';

it('what runs is restarted with the time that it gets to stop', () => {
  const restart = [{ id: 'a1', stopGraceMs: 300_500 }, { id: 'b2' }];
  const { script, timeoutMs } = startStoppedCommand('shop', 'run', { start: ['c3', 'd4'], restart });
  expect(script.split('\n').filter((line) => line.startsWith('docker'))).toEqual([
    'docker start c3 d4 >/dev/null',
    'docker restart --time 301 a1 >/dev/null',
    'docker restart b2 >/dev/null',
  ]);
  expect(timeoutMs).toBeGreaterThan(600_000 + 300_000);
});

it('the time is written down with the service, before a layer signals or stops it', () => {
  const owed = { service: 'sidekiq', owed: true };
  const line = (action: Parameters<typeof processCommand>[2]['action']) =>
    /printf '%s\\n' (.*) >>handled/.exec(processCommand('shop', 'run', { ...owed, action }).script)?.[1];
  expect(line({ signal: 'TSTP', graceMs: 300_000 })).toBe("'sidekiq 300'");
  expect(line({ stop: { graceMs: 1_500 } })).toBe("'sidekiq 2'");
  expect(line('stop')).toBe('sidekiq');
});

it('and read again', () => {
  const text = 'sidekiq 300\nmailer\nqueue 5\nqueue 20\nqueue\nodd name 3 4\n';
  const mark = '0123456789abcdef0123456789abcdef';
  expect([...readSurvey(`${mark}\n${mark} handled\n${text}`).handled]).toEqual([
    ['sidekiq', 300_000],
    ['mailer', undefined],
    ['queue', 20_000],
  ]);
});
