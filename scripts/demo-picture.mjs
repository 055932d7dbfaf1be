// Draws docs/deploy.svg, the picture of a deploy in the README, from a run of the demo in a terminal:
//   npm run build && node scripts/demo-picture.mjs
// Needs `script` of util-linux, which makes the terminal. The run takes half a minute.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import xterm from '@xterm/headless';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PICTURE = join(ROOT, 'docs/deploy.svg');

const COLUMNS = 96;
const ROWS = 40;
/** The live view ends each of its drawings with this: the terminal may show what it has now. */
const DRAWN = '\x1b[?2026l';
/** Lines of the log above the live view. */
const LOG_LINES = 6;

/** The palette of the reporters, by the numbers of terminals. */
const COLORS = { 1: 'bad', 2: 'good', 3: 'caution', 6: 'active' };

const SIZE = 13;
const COLUMN = SIZE * 0.6;
const LINE = 19;
const MARGIN = 16;

/** Runs the demo and returns all that it wrote to its terminal. */
async function record() {
  const folder = mkdtempSync(join(tmpdir(), 'do-deploy-picture-'));
  try {
    const program = `stty cols ${COLUMNS} rows ${ROWS}; exec "$NODE" dist/main.js sandbox demo --folder "$REGION"`;
    const { CI: _, NO_COLOR: __, ...env } = process.env;
    const running = spawn('script', ['--quiet', '--return', '--command', program, '/dev/null'], {
      cwd: ROOT,
      env: { ...env, TERM: 'xterm-256color', NODE: process.execPath, REGION: join(folder, 'region') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const chunks = [];
    running.stdout.on('data', (chunk) => chunks.push(chunk));
    const code = await new Promise((resolve, reject) => running.on('error', reject).on('close', resolve));
    if (code !== 0) throw new Error(`the demo ended with exit code ${code}`);
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the terminal showed: while the last droplet was out of rotation, and at the end. Each is a list of lines of runs. */
async function replay(recording) {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, scrollback: 1_000, allowProposedApi: true });
  let during;
  for (const drawing of recording.split(DRAWN)) {
    await new Promise((resolve) => terminal.write(drawing + DRAWN, resolve));
    const lines = linesOf(terminal);
    const view = lines.findLastIndex((line) => textOf(line).startsWith('Deploying '));
    const isOut = lines.slice(view + 1).some((line) => /^▸ .* out /.test(textOf(line)));
    if (view > 0 && isOut) during = [...lines.slice(view - 1 - LOG_LINES, view - 1), [], ...lines.slice(view)];
  }
  const lines = linesOf(terminal);
  const table = lines.findLastIndex((line) => textOf(line).startsWith('DROPLET '));
  if (during === undefined || table < 0) throw new Error('the recording has no live view, or no table');
  return { during, end: lines.slice(table) };
}

function linesOf({ buffer: { active } }) {
  const lines = [];
  for (let row = 0; row < active.length; row += 1) {
    const line = active.getLine(row);
    const own = runsOf(line);
    lines.push(...(line.isWrapped ? brokenAtBlank(lines.pop(), own) : [own]));
  }
  return lines.slice(0, lines.findLastIndex((line) => line.length > 0) + 1);
}

/** A terminal breaks a long line anywhere; a picture need not. */
function brokenAtBlank(first, rest) {
  const text = textOf(first).padEnd(COLUMNS) + textOf(rest);
  const blank = text.lastIndexOf(' ', COLUMNS);
  const plain = (part) => [{ column: 0, text: part, style: '' }];
  return [plain(text.slice(0, blank)), plain(text.slice(blank + 1))];
}

/** Neighbouring cells of one style are a run: its column, its text and its classes. */
function runsOf(line) {
  const runs = [];
  for (let column = 0; column < line.length; column += 1) {
    const cell = line.getCell(column);
    const text = cell.getChars();
    if (text === '' || text === ' ') continue;
    const style = styleOf(cell);
    const last = runs.at(-1);
    const end = last === undefined ? 0 : last.column + last.text.length;
    // One blank between words of a style belongs to the run.
    if (last?.style === style && column - end <= 1) last.text += ' '.repeat(column - end) + text;
    else runs.push({ column, text, style });
  }
  return runs;
}

function styleOf(cell) {
  const color = cell.isFgPalette() ? COLORS[cell.getFgColor()] : undefined;
  return [color, cell.isBold() ? 'strong' : undefined, cell.isDim() ? 'faint' : undefined].filter(Boolean).join(' ');
}

const textOf = (line) => line.reduce((text, run) => text.padEnd(run.column) + run.text, '');

/** The picture of two terminals, one below the other. */
function draw({ during, end }) {
  const panels = [
    { heading: '$ npm run demo', lines: during },
    { heading: 'and at the end', lines: end },
  ];
  const width = Math.ceil(COLUMNS * COLUMN + 4 * MARGIN);
  let top = MARGIN;
  const drawn = panels.map(({ heading, lines }) => {
    const height = (lines.length + 1.6) * LINE + MARGIN;
    const text = lines.flatMap((line, row) => line.map((run) => drawRun(run, top + (row + 2.6) * LINE)));
    const panel = [
      `<rect class="panel" x="${MARGIN}" y="${top}" width="${width - 2 * MARGIN}" height="${round(height)}" rx="8"/>`,
      drawRun({ column: 0, text: heading, style: 'faint' }, top + LINE + 2),
      ...text,
    ];
    top += height + MARGIN;
    return panel.join('\n');
  });
  const words = [...during, [], ...end].map((line) => escaped(textOf(line))).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${round(top)}" width="${width}" height="${round(top)}" role="img" aria-labelledby="title words">
<title id="title">A deploy of three droplets in a terminal: one is out of rotation while two serve; at the end all run v2, and no request has failed</title>
<desc id="words">${words}</desc>
<style>
svg { --panel: #f6f8fa; --edge: #d0d7de; --text: #1f2328; --faint: #59636e; --good: #116329; --bad: #b3261e; --caution: #7d4e00; --active: #0b5c8a }
@media (prefers-color-scheme: dark) {
svg { --panel: #151b23; --edge: #3d444d; --text: #e6edf3; --faint: #9198a1; --good: #56d364; --bad: #ff7b72; --caution: #e3b341; --active: #79c0ff }
}
.panel { fill: var(--panel); stroke: var(--edge) }
text { font: ${SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--text); white-space: pre }
${['faint', 'good', 'bad', 'caution', 'active'].map((name) => `.${name} { fill: var(--${name}) }`).join('\n')}
.strong { font-weight: 600 }
</style>
${drawn.join('\n')}
</svg>
`;
}

/** Its length is fixed, so that columns stay in line whatever the font. */
function drawRun({ column, text, style }, y) {
  const names = style === '' ? '' : ` class="${style}"`;
  const x = round(2 * MARGIN + column * COLUMN);
  const length = round([...text].length * COLUMN);
  return `<text${names} x="${x}" y="${round(y)}" textLength="${length}" lengthAdjust="spacingAndGlyphs">${escaped(text)}</text>`;
}

const round = (value) => Math.round(value * 10) / 10;
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

writeFileSync(PICTURE, draw(await replay(await record())));
console.log(`${PICTURE} is written. Look at it before you commit it.`);
