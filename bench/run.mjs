/**
 * `npm run bench [-- PART...] [--rounds N] [--delays S,S] [--only NAME,NAME] [--sizes N,N] [--write]`: prints the tables of docs/performance.md;
 * with --write it puts them there. Nothing here is a test; run it on a quiet machine. Parts: rolling and upload (real
 * droplets: Linux, root), overhead, scale and start-up.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUp, installInto, obstacle, ownFolder, removeForgotten, startIsolated } from '../scripts/namespaces.mjs';
import { COMMANDS } from '../src/commands/index.ts';
import { measureOverhead } from './overhead.mjs';
import { measureScale } from './scale.mjs';
import { measureStartUp, measureStatus } from './start-up.mjs';

const START_UP = [['--version'], ['--help'], ...Object.keys(COMMANDS).map((name) => [...name.split(' '), '--help'])];

const PARTS = {
  rolling: {
    title: 'Rolling deploy: 3 real droplets, checks every 2 s, two passes',
    measure: ({ rounds = 1, delays = [0, 1, 5], only }) => onRealDroplets('rolling', { rounds, delays, only }),
  },
  overhead: {
    title: "Overhead: do-deploy's own share, 3 sandbox droplets",
    measure: () => measureOverhead(),
  },
  scale: {
    title: 'Scale: sandbox droplets behind a tag-managed balancer, batches of 10%, checks every 2 s',
    measure: ({ sizes }) => measureScale(sizes),
  },
  'start-up': {
    title: 'Start-up',
    measure: async ({ rounds }) => [measureStartUp(START_UP, rounds), await measureStatus(rounds)],
  },
  upload: {
    title: 'Upload to one real droplet',
    measure: ({ rounds = 5 }) => onRealDroplets('upload', { rounds }),
  },
};

const DOCUMENT = 'docs/performance.md';
const out = (text) => process.stdout.write(`${text}\n`);

/** A benchmark of real/, in namespaces of its own. Returns its rows, or a text that says why there are none. */
async function onRealDroplets(part, options) {
  const why = obstacle(['rsync=rsync', 'ansible-playbook=ansible-core', 'curl=curl', 'awk=mawk']);
  if (why !== undefined) return `Not measured: benchmarks on real droplets cannot run here; ${why}.`;
  removeForgotten();
  const [folder, installed] = [ownFolder(), ownFolder()];
  try {
    installInto(installed);
    const result = join(folder, 'rows.json');
    const program = ['--import', './bench/typescript.mjs', 'bench/real/main.ts', part, JSON.stringify(options), result];
    const child = startIsolated(folder, installed, program);
    const stop = () => child.kill('SIGKILL');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
    const code = await new Promise((settle) => child.on('exit', settle));
    if (!existsSync(result)) throw new Error(`the benchmark ended with ${code}`);
    return JSON.parse(readFileSync(result, 'utf8'));
  } finally {
    cleanUp(folder);
    cleanUp(installed);
  }
}

/** @returns {string} one Markdown table, or several */
function tableOf(rows) {
  if (typeof rows === 'string') return `${rows}\n`;
  if (Array.isArray(rows[0])) return rows.map(tableOf).join('\n');
  const columns = Object.keys(rows[0] ?? {});
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  const body = rows.map((row) => line(columns.map((column) => row[column])));
  return `${line(columns)}|${columns.map(() => '---').join('|')}|\n${body.join('')}`;
}

function writeInto(part, text) {
  const page = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = ['begin', 'end'].map((edge) => `<!-- ${part}: ${edge} -->\n`);
  const [before, after] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  writeFileSync(DOCUMENT, `${page.slice(0, before)}${text}${page.slice(after)}`);
}

const numbers = (text) => text?.split(',').map(Number);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    delays: { type: 'string' },
    only: { type: 'string' },
    sizes: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const options = {
  ...(values.rounds && { rounds: Number(values.rounds) }),
  ...(values.delays && { delays: numbers(values.delays) }),
  ...(values.only && { only: values.only.split(',') }),
  ...(values.sizes && { sizes: numbers(values.sizes) }),
};
const unknown = positionals.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  process.stderr.write(`There is no benchmark "${unknown}"; there are ${Object.keys(PARTS).join(', ')}.\n`);
  process.exit(2);
}
for (const name of positionals.length > 0 ? positionals : Object.keys(PARTS)) {
  const { title, measure } = PARTS[name];
  const before = loadavg()[0].toFixed(1);
  const rows = await measure(options);
  const text = `${tableOf(rows)}\nLoad average before and after: ${before} and ${loadavg()[0].toFixed(1)}.\n`;
  out(`\n## ${title}\n\n${text}`);
  if (values.write && typeof rows !== 'string') writeInto(name, text);
}
