/** Everything the user sees: a live table, plain lines or JSON, without secrets. */
import type { Clock, Reporter } from '../ports.js';
import type { EnvironmentRow, TagRow } from '../rollout/match-tags.js';
import type { HistoryEntry, StatusRow } from '../rollout/model.js';
import { driftLines, type ShownDrift } from './drift-lines.js';
import { commitLines, noteLines } from './ending.js';
import { errorLines, type PrintableError } from './error-text.js';
import { FanOut } from './fan-out.js';
import { annotation, GithubReporter, withoutCommands } from './github.js';
import type { Terminal } from './live-area.js';
import { Narrator } from './narration.js';
import { NdjsonReporter } from './ndjson.js';
import { createPalette } from './palette.js';
import { PlainReporter } from './plain.js';
import { createRedactor, MappingReporter, mapText } from './redacting.js';
import { historyTable, statusTable } from './table.js';
import { tagLines } from './tag-lines.js';
import { TerminalReporter } from './terminal.js';
import { cleanText } from './text.js';

export interface ReporterOptions {
  /** `terminal` draws a live table; where stdout is no terminal, or with `quiet`, it is `plain`. */
  mode: 'terminal' | 'plain' | 'json';
  color: boolean;
  /** Also tells of remote commands and API calls, and where an error came from. */
  verbose: boolean;
  /** Only warnings, failures and the end. */
  quiet?: boolean;
  stdout: Terminal & { isTTY?: boolean };
  stderr: NodeJS.WritableStream;
  /** Values that must never be shown. */
  secrets: string[];
  clock: Clock;
  /** Present in GitHub Actions, where it goes with `plain`; `summaryPath` is the file that GITHUB_STEP_SUMMARY names. */
  github?: { summaryPath?: string } | undefined;
}

export interface UserReporter extends Reporter {
  /** A status table of its own; with --json one line `{ schema, type: "status", heading, rows }`. */
  printStatus(rows: StatusRow[], heading: string): void;
  /** How droplets differ from the fleet's release; with --json one line `{ schema, type: "drift", … }`. */
  printDrift(drift: ShownDrift): void;
  /** Newest first; with --json one line each. */
  printHistory(entries: HistoryEntry[]): void;
  /** git's tags and what runs them; with --json one line `{ schema, type: "tags", tags, environments }`. */
  printTags(tags: TagRow[], environments: EnvironmentRow[]): void;
  /** On stderr, in every mode. */
  printError(error: PrintableError): void;
  close(): Promise<void>;
}

export function createReporter(options: ReporterOptions): UserReporter {
  const { mode, verbose, stdout, stderr } = options;
  // Whoever reads the output may go away (`do-deploy production | head`); the rollout goes on.
  for (const stream of [stdout, stderr]) stream.on('error', () => {});
  const palette = createPalette(options.color);
  const redact = createRedactor(options.secrets);
  // Cleaned first: an escape sequence in its middle must not hide a secret.
  const readable = (text: string) => redact(cleanText(text));
  const github = mode === 'json' ? undefined : options.github;
  const guard = github === undefined ? (text: string) => text : withoutCommands;
  const width = () => (stdout.isTTY === true ? stdout.columns || 80 : Number.POSITIVE_INFINITY);
  const write = (text: string) => void stdout.write(text);

  function createMain(): Reporter {
    if (mode === 'json') return new MappingReporter(new NdjsonReporter(write), redact);
    const quiet = options.quiet === true;
    const isLive = mode === 'terminal' && stdout.isTTY === true && github === undefined && !quiet;
    const narrator = new Narrator({ palette, verbose, quiet, progress: !isLive, width });
    if (isLive) return new MappingReporter(new TerminalReporter(stdout, narrator, palette, options.clock), readable);
    const plain = new PlainReporter(narrator, (text) => write(guard(text)));
    if (github === undefined) return new MappingReporter(plain, readable);
    return new MappingReporter(new GithubReporter(plain, write, github.summaryPath), readable);
  }

  let printed = false;
  const main = new FanOut([createMain()]);
  return {
    report: (event) => main.report(event),
    close: () => main.close(),

    printStatus(rows, heading) {
      if (mode === 'json') {
        write(`${JSON.stringify(mapText({ schema: 2, type: 'status', heading, rows }, redact))}\n`);
        return;
      }
      const shown = mapText(rows, readable);
      const table = statusTable(shown, { result: false, width: width(), palette });
      const separator = printed ? '\n' : '';
      printed = true;
      const notes = [...shown.flatMap((row) => noteLines(row, palette)), ...commitLines(shown, palette)];
      write(guard(`${separator}${[palette.strong(readable(heading)), ...table, ...notes].join('\n')}\n`));
    },

    printDrift(drift) {
      if (mode === 'json') {
        write(`${JSON.stringify(mapText({ schema: 2, type: 'drift', ...drift }, redact))}\n`);
        return;
      }
      const separator = printed ? '\n' : '';
      printed = true;
      write(guard(`${separator}${driftLines(mapText(drift, readable), palette).join('\n')}\n`));
    },

    printHistory(entries) {
      const shown = mapText(entries, mode === 'json' ? redact : readable);
      if (mode === 'json')
        write(shown.map((entry) => `${JSON.stringify({ schema: 2, type: 'history', ...entry })}\n`).join(''));
      else if (shown.length === 0) write('Nothing was deployed yet.\n');
      else write(guard(`${historyTable(shown, { width: width(), palette }).join('\n')}\n`));
    },

    printTags(tags, environments) {
      const shown = mapText({ tags, environments }, mode === 'json' ? redact : readable);
      if (mode === 'json') write(`${JSON.stringify({ schema: 2, type: 'tags', ...shown })}\n`);
      else write(guard(`${tagLines(shown.tags, shown.environments, { width: width(), palette }).join('\n')}\n`));
    },

    printError(error) {
      void main.close();
      stderr.write(`${guard(redact(errorLines(error, { palette, verbose }).join('\n')))}\n`);
      if (github !== undefined) {
        const text = errorLines(error, { palette: createPalette(false), verbose: false }).join('\n');
        write(annotation('error', redact(text), error.droplet));
      }
    },
  };
}
