/** The folded logs of CI systems other than GitHub, whose own are in github.test.ts. */
import { describe, expect, it } from 'vitest';
import { DeployError } from '../../src/errors.js';
import { hostile, withHostile } from '../support/hostile.js';
import { reporterOn } from '../support/reporter-on.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';
import { eventAt, scriptedRollout } from '../support/scripted-events.js';

const TITLES = [
  'Finding the fleet',
  'Locking the fleet',
  'Staging the release on every droplet',
  'Batch 1: web-1 (1 droplet after this)',
  'Batch 2: web-2 (the last batch)',
  'Cleaning up',
];

describe('in GitLab', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: GitLab's markers are made of them
  const markers = /\u001b\[0Ksection_(start|end):(\d+):([\w.-]+)\r\u001b\[0K/g;

  it('each phase and batch is a section, closed before the next one', () => {
    const { reporter, stdout } = reporterOn({ log: 'gitlab' });
    for (const event of scriptedRollout(2)) reporter.report(event);
    const found = [...stdout.text.matchAll(markers)].map(([, kind, , name]) => `${kind} ${name}`);
    expect(found).toEqual(TITLES.flatMap((_, index) => [`start do_deploy_${index + 1}`, `end do_deploy_${index + 1}`]));
    const titles = stdout.text.split('\n').filter((line) => line.includes('section_start'));
    expect(titles.map((line) => line.replaceAll(markers, ''))).toEqual(TITLES);
    expect(stdout.text.indexOf('DROPLET')).toBeGreaterThan(stdout.text.lastIndexOf('section_end'));
  });

  it('a section has the time of its first and last event, in seconds', () => {
    const { reporter, stdout } = reporterOn({ log: 'gitlab' });
    reporter.report(eventAt(0, { type: 'phase-started', phase: 'stage' }));
    reporter.report(eventAt(65_000, { type: 'phase-started', phase: 'roll' }));
    const [start = 0, end = 0] = [...stdout.text.matchAll(markers)].map(([, , seconds]) => Number(seconds));
    expect(end - start).toBe(65);
  });

  it('no text from outside can open or close a section', () => {
    const { reporter, stdout } = reporterOn({ log: 'gitlab' });
    const marker = '\u001b[0Ksection_end:1:do_deploy_1\r\u001b[0K';
    reporter.report(eventAt(0, { type: 'phase-started', phase: 'stage', detail: `a\n${marker}b` }));
    reporter.report(eventAt(0, { type: 'notice', level: 'info', message: marker, droplet: marker }));
    expect([...stdout.text.matchAll(markers)]).toHaveLength(1);
    expect(stdout.text.split('\n')[0]).toMatch(/Staging the release on every droplet: a section_end:1:do_deploy_1b$/);
  });
});

describe('in Azure Pipelines', () => {
  it('each phase and batch is a group', () => {
    const { reporter, stdout } = reporterOn({ log: 'azure' });
    for (const event of scriptedRollout(2)) reporter.report(event);
    const commands = stdout.text.split('\n').filter((line) => line.startsWith('##'));
    expect(commands).toEqual(TITLES.flatMap((title) => [`##[group]${title}`, '##[endgroup]']));
  });

  it('no text from outside is a command to the agent', () => {
    const { reporter, stdout, stderr } = reporterOn({ log: 'azure' });
    const command = '##vso[task.setvariable variable=PATH]x';
    for (const event of SAMPLE_EVENTS)
      reporter.report(withHostile(event, command, ['type', 'at', 'step', 'phase', 'task']));
    reporter.printError(new DeployError('x', `${hostile('')} ${command}`, { hint: command.toUpperCase() }));
    reporter.printNote(command);
    expect(stdout.text + stderr.text).not.toMatch(/##vso\[/i);
    const own = /^##\[(group\]|endgroup\]$)/;
    const foreign = (stdout.text + stderr.text).split('\n').filter((line) => /##\[/.test(line.replace(own, '')));
    expect(foreign).toEqual([]);
  });
});

it.each([{ log: 'azure' }, { log: 'gitlab' }, { github: {} }] as const)(
  'an error is not hidden in a group: %j',
  (log) => {
    const { reporter, stdout } = reporterOn(log);
    reporter.report(eventAt(0, { type: 'phase-started', phase: 'lease' }));
    expect(stdout.text).not.toMatch(/endgroup|section_end/);
    reporter.printError(new DeployError('x', 'It broke.'));
    expect(stdout.text).toMatch(/endgroup|section_end/);
  },
);
