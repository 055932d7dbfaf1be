import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reporterOn } from '../support/reporter-on.js';
import { SAMPLE_EVENTS } from '../support/sample-events.js';
import { SAMPLE_OUTPUTS } from '../support/sample-outputs.js';

const DOCUMENT = new URL('../../docs/events.md', import.meta.url);

/** What `--json` writes: one event of each type, and each other output. */
function jsonLines(): Map<string, string> {
  const { reporter, stdout } = reporterOn({ mode: 'json', level: 'verbose' });
  for (const event of SAMPLE_EVENTS) reporter.report(event);
  for (const output of Object.values(SAMPLE_OUTPUTS)) reporter.print(output);
  const lines = stdout.text.trimEnd().split('\n');
  return new Map(lines.map((line) => [(JSON.parse(line) as { type: string }).type, line]));
}

describe('docs/events.md', () => {
  const document = readFileSync(DOCUMENT, 'utf8');

  it('has a section for each type of event, and for no other', () => {
    const sections = [...document.matchAll(/^### `(.+)`$/gm)].map(([, type]) => type);
    expect(sections.sort()).toEqual([...jsonLines().keys()].sort());
  });

  it('shows what --json writes (vitest -u puts it there)', async () => {
    const lines = jsonLines();
    const current = document.replace(
      /(^### `(.+)`$(?:(?!^#)[\s\S])*?^```jsonl\n)[^`]*?(^```$)/gm,
      (_, head, type, end) => {
        return `${head}${lines.get(type) ?? ''}\n${end}`;
      },
    );
    for (const line of lines.values()) expect(current).toContain(`\n${line}\n`);
    await expect(current).toMatchFileSnapshot(DOCUMENT.pathname);
  });
});
