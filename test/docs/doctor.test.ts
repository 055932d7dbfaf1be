/** docs/doctor.md lists what doctor finds: as its catalogue has it. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CATALOGUE, type Entry } from '../../src/deploy/doctor/catalogue.js';
import { readRoot } from './markdown.js';

const ENTRIES = Object.entries(CATALOGUE as Record<string, Entry>);

function tables(): string {
  const areas = [...new Set(ENTRIES.map(([, { area }]) => area))];
  const cell = (text: string) => text.replaceAll('|', '\\|');
  return areas
    .map((area) => {
      const rows = ENTRIES.filter(([, one]) => one.area === area).map(
        ([name, { severity, what, why, repair = '' }]) =>
          `| \`${name}\` | ${severity} | ${cell(what)} | ${cell(why)} | ${cell(repair)} |`,
      );
      const title = `### ${area.charAt(0).toUpperCase()}${area.slice(1)}`;
      return [
        title,
        '',
        '| name | severity | what it is | why it matters | `--fix` |',
        '|---|---|---|---|---|',
        ...rows,
      ].join('\n');
    })
    .join('\n\n');
}

describe('docs/doctor.md', () => {
  it('has a table of all findings (vitest -u writes it)', async () => {
    const page = readRoot('docs/doctor.md').replace(
      /(<!-- findings: begin -->\n)[\s\S]*(<!-- findings: end -->)/,
      (_, begin, end) => `${begin}\n${tables()}\n\n${end}`,
    );
    expect(page).toContain(`\n${tables()}\n`);
    await expect(page).toMatchFileSnapshot(new URL('../../docs/doctor.md', import.meta.url).pathname);
  });
});

describe('the catalogue', () => {
  const checks = readdirSync('src/deploy/doctor', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && path !== 'catalogue.ts')
    .map((path) => readRoot(`src/deploy/doctor/${path}`))
    .join('\n');

  it('has no entry that nothing finds', () => {
    // Diagnoses of a failed check, kinds of problems, and refusals that are warnings here have the names of others.
    const elsewhere = ['rollout/diagnosis-rules', 'config/problems', 'deploy/fleet/policy']
      .map((name) => readRoot(`src/${name}.ts`))
      .join('\n');
    const named = (name: string) =>
      checks.includes(`'${name}'`) || checks.includes(`  ${name}:`) || checks.includes(`${name}: {`);
    const unknown = ENTRIES.map(([name]) => name).filter((name) => !named(name) && !elsewhere.includes(`'${name}'`));
    expect(unknown).toEqual([]);
  });

  it('says why in whole sentences', () => {
    for (const [name, { what, why }] of ENTRIES) {
      expect(why, name).toMatch(/^(?:[A-Z`]|do-deploy ).*\.\)?$/);
      expect(what, name).toMatch(/^[^.]+$|20\.10$/);
    }
  });
});
