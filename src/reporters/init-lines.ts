/** The output of `init`: what it wrote and what it left, what is missing, and what to type next. */
import type { Palette } from './palette.js';

/** As docs/events.md shows it. */
export interface ShownInit {
  app: string;
  files: {
    path: string;
    action: 'written' | 'extended' | 'left';
    /** Of a file that is left: what it lacks. */
    add?: readonly string[];
  }[];
  /** Variables that are not set. */
  variables: readonly string[];
  notes: readonly string[];
  /** The commands to continue with. */
  next: readonly string[];
}

export function initLines({ files, variables, notes, next }: ShownInit, palette: Palette): string[] {
  const ofFiles = files.flatMap(({ path, action, add = [] }) => {
    if (action === 'left') return [`${palette.caution(path)}: exists, and is left as it is. To add:`, ...indented(add)];
    return [`${palette.good(path)}: ${action === 'written' ? 'written' : 'lines added'}`];
  });
  const ofVariables =
    variables.length === 0
      ? []
      : [`To set in config/.env or in the environment: ${palette.strong(variables.join(', '))}`];
  return [...ofFiles, ...notes, ...ofVariables, `Next: ${next.map(palette.strong).join(', ')}`];
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
