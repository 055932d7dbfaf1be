/** docs/troubleshooting.md has an entry for every error code, and no other. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/rollout/diagnosis.js';
import { KNOWN_FAILURES } from '../rollout/known-failures.js';
import { firstColumns, readRoot } from './markdown.js';

/** Where a code is written: as the first argument of an error or of a helper that makes one, or as a field. */
const CODES = [
  /\b(?:new DeployError|super|refus\w+)\(\s*'([a-z][a-z-]*)'/g,
  /\b(?:must|storeFailed)\([^']*, '([a-z]+-[a-z-]+)'/g,
  /\bcode: '([a-z][a-z-]*)'/g,
  /\/\*\* Code of the error[^\n]*\nexport const \w+ = '([a-z][a-z-]*)'/g,
];
/** Fields of that name in the answers of libraries. */
const NO_ERROR = /^(src\/config\/document|src\/config\/check-document)\.ts$/;

function codesIn(path: string): string[] {
  const text = readRoot(path);
  const plain = CODES.flatMap((pattern) => [...text.matchAll(pattern)].map(([, code = '']) => code));
  // `readonly kind: | 'unauthorized' // … | …` of CloudError and ShellError, whose codes have a prefix.
  const kinds = [...text.matchAll(/class (Cloud|Shell)Error[\s\S]*?readonly kind:([\s\S]*?);/g)];
  const prefixed = kinds.flatMap(([, of = '', list = '']) =>
    [...list.matchAll(/^\s*\| '([a-z-]+)'/gm)].map(([, kind]) => `${of === 'Cloud' ? 'cloud' : 'ssh'}-${kind}`),
  );
  return [...plain, ...prefixed];
}

const raised = new Set(
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name}`)
    .filter((path) => path.endsWith('.ts') && !NO_ERROR.test(path))
    .flatMap(codesIn),
);
const page = readRoot('docs/troubleshooting.md');
const explained = firstColumns(page.slice(page.indexOf('## Command line'))).filter((code) => /^[a-z-]+$/.test(code));

describe('docs/troubleshooting.md', () => {
  it('explains every error code', () => {
    expect(raised.size).toBeGreaterThan(70);
    expect([...raised].filter((code) => !explained.includes(code)).sort()).toEqual([]);
  });

  it('explains no code that is gone, and none twice', () => {
    expect(explained.filter((code) => !raised.has(code))).toEqual([]);
    expect(explained).toEqual([...new Set(explained)]);
  });

  it('shows what is said about each known failure of a droplet', async () => {
    const rows = KNOWN_FAILURES.map(({ what, findings, sentence }) => {
      const remedy = (diagnose(findings)?.remedy ?? '').replaceAll('|', '\\|').replaceAll('*', '\\*');
      return `| ${what} | ${sentence.replace(/^app /, 'Service app ')} | ${remedy} |`;
    });
    const table = ['| what happened | what do-deploy says | remedy |', '|---|---|---|', ...rows].join('\n');
    const written = page.replace(
      /(<!-- causes: begin -->\n)[\s\S]*(<!-- causes: end -->)/,
      (_, begin, end) => `${begin}${table}\n${end}`,
    );
    await expect(written).toMatchFileSnapshot('../../docs/troubleshooting.md');
  });
});
