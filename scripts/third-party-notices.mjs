/** The names, versions and licence texts of the packages that a bundle holds parts of. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)\b/i;

/**
 * @param {string[]} modules absolute paths, of this project's own modules too
 * @returns {string}
 * @throws {Error} for a package that names no licence
 */
export function notices(modules) {
  const folders = new Set(modules.map(packageFolder).filter((folder) => folder !== undefined));
  const packages = [...folders].map(describe).sort((a, b) => (a.title < b.title ? -1 : 1));
  const unique = packages.filter(({ title }, index) => title !== packages[index - 1]?.title);
  return [
    'do-deploy contains parts of these packages.\n',
    ...unique.map(({ title, licence, text }) => `${'-'.repeat(80)}\n${title}: ${licence}\n\n${text}\n`),
  ].join('\n');
}

/** The innermost package below node_modules that the module belongs to. */
function packageFolder(path) {
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path.replace(/^\0/, '')) ?? [];
  return folder;
}

function describe(folder) {
  const { name, version, author, ...rest } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  // `licenses: [{ type }]` is the old spelling.
  const licence = rest.license ?? rest.licenses?.[0]?.type;
  if (typeof licence !== 'string') throw new Error(`${name} names no licence in its package.json`);
  const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const by = typeof author === 'string' ? author : author?.name;
  return {
    title: `${name} ${version}`,
    licence,
    text: texts.join('\n\n') || `${by ? `Copyright (c) ${by}. ` : ''}The package holds no licence text.`,
  };
}
