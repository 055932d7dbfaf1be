/** Everything that the user reads: a live view, lines or JSON, without secrets and control characters. */
import type { Clock, Reporter } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';
import { errorLines, type PrintableError } from './error-text.js';
import { type FoldedLog, FoldingReporter } from './folding.js';
import { annotation, GithubReporter, problemAnnotations, withoutCommands } from './github.js';
import { GithubFiles, type GithubPaths } from './github-files.js';
import { jsonLine } from './json-line.js';
import type { Terminal } from './live-area.js';
import { type Level, Narrator } from './narration.js';
import { isBlock, type Output, outputLines, outputObjects } from './output.js';
import { createPalette, type Palette } from './palette.js';
import { mapEachText, mapText, type Redactor } from './redacting.js';
import { MASK } from './redactor.js';
import { SilenceWatch } from './silence.js';
import type { TerminalReporter } from './terminal.js';
import { cleanText } from './text.js';

export type { Level, Output };

const PLAIN = createPalette(false);

export interface ReporterOptions {
  /** `terminal` draws a live view; without a terminal it is `plain`. */
  mode: 'terminal' | 'plain' | 'json';
  color: boolean;
  level: Level;
  /** Write to standard output and standard error. */
  out: (text: string) => void;
  err: (text: string) => void;
  /** Standard output, if it is a terminal. */
  terminal?: Terminal;
  redactor: Redactor;
  clock: Clock;
  /** The log of a CI system that folds it; implies `plain`. */
  log?: Exclude<FoldedLog, 'github'>;
  /** The same for GitHub Actions, which also gets annotations, and these files. */
  github?: GithubPaths;
}

export interface UserReporter extends Reporter {
  /** On standard output. */
  print(output: Output): void;
  /** A line on standard error, in every mode. */
  printNote(text: string): void;
  /** On standard error, in every mode. */
  printError(error: PrintableError): void;
  /** From now on every event is also told to `write`, with all that --debug adds. */
  record(write: (text: string) => void): void;
  /** From now on every event is also passed to `listener`, masked and clean. */
  follow(listener: (event: DeployEvent) => void): void;
  /** Text that may be shown: masked, without control characters. */
  clean(text: string): string;
  /** To be called before a rollout: loads the live view, where there is a terminal for it. */
  goLive(): Promise<void>;
  /** Leaves the terminal to a question until the returned function is called; what is reported meanwhile is shown then. */
  suspend(): () => void;
  close(): Promise<void>;
}

export function createReporter(options: ReporterOptions): UserReporter {
  const { mode, level, err, terminal, redactor, clock } = options;
  const out = (text: string) => {
    silence.printed();
    options.out(text);
  };
  const isVerbose = level === 'verbose' || level === 'debug';
  const palette = createPalette(options.color);
  const redact = (text: string) => redactor.redact(text);
  // Cleaned first: an escape sequence in its middle must not hide a secret.
  const readable = (text: string) => redact(cleanText(text));
  const log = options.github === undefined ? options.log : 'github';
  const files = options.github && new GithubFiles(options.github);
  const guard = log === undefined ? (text: string) => text : withoutCommands;
  const width = () => (terminal === undefined ? Number.POSITIVE_INFINITY : terminal.columns || 80);

  const narrator = new Narrator({ palette, level, width });
  let live: TerminalReporter | undefined;

  function createMain(): Reporter {
    if (mode === 'json') return { report: (event) => out(jsonLine(event)) };
    const plain: Reporter = {
      report(event) {
        const lines = narrator.tell(event);
        if (lines.length > 0) out(guard(`${lines.join('\n')}\n`));
      },
    };
    if (log === undefined) return plain;
    const folding = new FoldingReporter(plain, out, log);
    return log === 'github' ? new GithubReporter(folding, out) : folding;
  }

  let printed = false;
  const followers: ((event: DeployEvent) => void)[] = files === undefined ? [] : [(event) => files.report(event)];
  let main = createMain();
  // A control character within a secret hides it: then the clean text is shown.
  const isHidden = (text: string) => redact(text) === text && readable(text).includes(MASK);
  const shownText = mode === 'json' ? (text: string) => (isHidden(text) ? readable(text) : redact(text)) : readable;
  const show = (event: DeployEvent) => {
    // Traces are always in the log of the run.
    if (isShown(event, level)) quietly(() => main.report(mapText(event, shownText)));
    if (followers.length === 0) return;
    quietly(() => {
      const shown = mapText(event, readable);
      for (const follow of followers) quietly(() => follow(shown));
    });
  };
  const silence = new SilenceWatch(clock, (event) => {
    if (live?.isDrawing) return;
    show(event);
  });
  return {
    report(event) {
      quietly(() => silence.follow(event));
      show(event);
    },
    record(write) {
      const narrator = new Narrator({ palette: PLAIN, level: 'debug', width: () => Number.POSITIVE_INFINITY });
      followers.push((event) => {
        const lines = narrator.tell(event);
        if (lines.length > 0) write(`${lines.join('\n')}\n`);
      });
    },
    follow: (listener) => void followers.push(listener),
    close: async () => {
      silence.close();
      await main.close?.();
    },
    clean: (text) => guard(readable(text)),
    async goLive() {
      if (mode !== 'terminal' || log !== undefined || level === 'quiet' || terminal === undefined || live) return;
      const { TerminalReporter } = await import('./terminal.js');
      narrator.showsProgress = false;
      live = new TerminalReporter(terminal, narrator, palette, clock);
      main = live;
    },
    suspend() {
      silence.suspend();
      live?.suspend();
      return () => {
        silence.resume();
        live?.resume();
      };
    },

    print(output) {
      const isText = output.type === 'text';
      // A line feed in a name or a message must not begin a line of its own.
      const masked = mapText(output, readable);
      const shown = isText ? masked : mapEachText(masked, inOneLine);
      const linesOf = (options: { palette: Palette; width: number }) => outputLines(shown, options);
      if (isBlock(output)) files?.addBlock(linesOf({ palette: PLAIN, width: Number.POSITIVE_INFINITY }));
      if (mode === 'json' && !isText) {
        for (const object of outputObjects(output)) out(jsonLine(mapText(object, shownText)));
        return;
      }
      const text = linesOf({ palette, width: width() })
        .map((line) => `${line}\n`)
        .join('');
      const separator = printed && isBlock(output) ? '\n' : '';
      printed = true;
      (mode === 'json' ? err : out)(guard(separator + text));
    },

    printNote(text) {
      err(guard(`${readable(text)}\n`));
    },

    printError(error) {
      silence.close();
      void main.close?.();
      err(`${guard(redact(errorLines(error, { palette, verbose: isVerbose }).join('\n')))}\n`);
      if (files === undefined) return;
      const text = redact(errorLines(error, { palette: PLAIN, verbose: false }).join('\n'));
      files.addError(text.split('\n'));
      if (mode === 'json') return;
      const { problems = [] } = error;
      if (problems.length > 0) out(problemAnnotations(mapText(problems, readable), options.github?.folder ?? ''));
      else out(annotation('error', text, error.droplet && readable(error.droplet)));
    },
  };
}

function isShown(event: DeployEvent, level: Level): boolean {
  if (event.type !== 'trace') return true;
  return level === 'debug' || (level === 'verbose' && event.kind === 'command');
}

/** Each line of a diff gets a sign and a margin of its own. */
function inOneLine(text: string, field: string): string {
  return field === 'diff' ? text : text.replaceAll(/\s*\n\s*/g, ' ');
}

/** Output that fails must not stop a rollout. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // It cannot be reported either.
  }
}
