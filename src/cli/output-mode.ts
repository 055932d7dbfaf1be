import { relative } from 'node:path';
import type { ProcessEnv } from '../config/variables.js';
import type { Level, ReporterOptions } from '../reporters/index.js';
import { ciSystem } from './ci-run.js';

export interface OutputMode {
  /** `terminal` redraws a live view, `plain` writes lines, `json` an event per line. */
  mode: 'terminal' | 'plain' | 'json';
  color: boolean;
}

/** How to talk, from the options and what standard output is. */
export function chooseOutputMode(
  options: { json: boolean; noColor: boolean },
  env: ProcessEnv,
  isTerminal: boolean,
): OutputMode {
  if (options.json) return { mode: 'json', color: false };
  const isLive = isTerminal && !isCi(env) && env.TERM !== 'dumb';
  return { mode: isLive ? 'terminal' : 'plain', color: wantsColor(options.noColor, env, isLive) };
}

/** The option that asks for most comes first. */
export function chooseLevel({ quiet, verbose, debug }: { quiet: boolean; verbose: boolean; debug: boolean }): Level {
  if (debug) return 'debug';
  if (verbose) return 'verbose';
  return quiet ? 'quiet' : 'normal';
}

/** The CI system whose log this is, if it folds it. */
export function ciLog(env: ProcessEnv, cwd: string): Pick<ReporterOptions, 'log' | 'github'> {
  switch (ciSystem(env)) {
    case 'GitHub Actions':
      return {
        github: {
          summaryPath: env.GITHUB_STEP_SUMMARY || undefined,
          outputPath: env.GITHUB_OUTPUT || undefined,
          folder: env.GITHUB_WORKSPACE ? relative(env.GITHUB_WORKSPACE, cwd) : undefined,
        },
      };
    case 'GitLab CI':
      return { log: 'gitlab' };
    case 'Azure Pipelines':
      return { log: 'azure' };
    default:
      return {};
  }
}

/** Most CI systems set CI; some say `false` on a developer's machine. Azure Pipelines and older Jenkins do not set it. */
export function isCi(env: ProcessEnv): boolean {
  if (env.CI === 'false' || env.CI === '0') return false;
  return Boolean(env.CI) || ciSystem(env) !== undefined;
}

/** The option comes first, then https://no-color.org, then https://force-color.org. */
function wantsColor(noColor: boolean, env: ProcessEnv, isLive: boolean): boolean {
  if (noColor || env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '')
    return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isLive;
}
