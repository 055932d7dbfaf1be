/** What goes to files gets every event as the screen shows it. */
import { expect, it } from 'vitest';
import type { DeployEvent } from '../../src/rollout/model.js';
import { reporterOn } from '../support/reporter-on.js';
import { eventAt, OUT_OF_MEMORY } from '../support/scripted-events.js';

const SECRET = 'correct-horse-battery';

const EVIDENCE = eventAt(0, {
  type: 'evidence-collected',
  droplet: 'web-1\u001b[2J',
  evidence: { ...OUT_OF_MEMORY, resources: [`${SECRET} of memory`], cause: `said ${SECRET}` },
});

it('followers get events masked and clean, traces included, each the same', () => {
  const { reporter } = reporterOn({ mode: 'json', secrets: [SECRET] });
  const told: DeployEvent[][] = [[], []];
  for (const events of told) reporter.follow((event) => events.push(event));
  reporter.report(EVIDENCE);
  reporter.report(eventAt(1, { type: 'trace', kind: 'command', what: `ssh web-1: ${SECRET}`, ms: 4 }));
  expect(told[0]).toEqual(told[1]);
  expect(JSON.stringify(told)).not.toContain(SECRET);
  expect(told[0]).toMatchObject([
    { droplet: 'web-1', evidence: { cause: 'said [secret]', resources: ['[secret] of memory'] } },
    { what: 'ssh web-1: [secret]' },
  ]);
});

it('one that fails keeps neither the others nor the screen from an event', () => {
  const { reporter, stdout } = reporterOn({ mode: 'json', secrets: [SECRET] });
  const told: DeployEvent[] = [];
  reporter.follow(() => {
    throw new Error('full');
  });
  reporter.follow((event) => told.push(event));
  reporter.report(EVIDENCE);
  expect(told).toHaveLength(1);
  expect(stdout.text).toContain('evidence-collected');
});
