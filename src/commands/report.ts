import { resolve } from 'node:path';
import { text } from '../cli/arguments.js';
import { type CommandContext, defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { defaultLogFolder } from '../cli/log-file.js';
import { environment, logDir } from '../cli/options.js';
import type { LoadedSettings } from '../config/load.js';
import { doDeploy } from '../deploy/core/do-deploy.js';
import { asDeployError, DeployError } from '../errors.js';
import type { HistoryEntry } from '../rollout/model.js';

export default defineCommand({
  name: 'report',
  topic: 'look',
  summary: 'Write a page about a past run: its course, and why it failed',
  description:
    'The page is one HTML file that needs no network. Of a run that was made on this machine it shows the droplets, their\nrotation and the probe over time; of others, what the history on the droplets says.',
  examples: [
    ['report production', 'write report-production.html about the last run'],
    ['report production v1.4.2', 'about the last run that brought this release'],
    ['report production 2026-11-21T07:47', 'about the run that history lists with this time'],
  ],
  positionals: {
    environment,
    run: text({ describe: 'The run, by its release or by its time in `history` (default: the last one)' }),
  },
  options: {
    output: text({ value: 'FILE', describe: 'File to write (default: report-ENVIRONMENT.html)' }),
    logDir,
  },
  settings: 'fleet',
  async run(context) {
    const { args, settings, cwd, env, redact } = context;
    const [
      { refuseOther, writeReport },
      { eventsOf, localRuns },
      { reportOfEntry, reportOfRun },
      { findRun },
      { mapText },
    ] = await Promise.all([
      import('../cli/report-file.js'),
      import('../cli/local-runs.js'),
      import('../reporters/report/page.js'),
      import('./shared/find-run.js'),
      import('../reporters/redacting.js'),
    ]);
    const path = resolve(cwd, args.output ?? `report-${args.environment}.html`);
    refuseOther(path);
    const { entries, notes } = await history(context, settings);
    const folder = args.logDir ?? defaultLogFolder(env);
    const here = folder === undefined ? [] : localRuns(resolve(cwd, folder), settings.app, settings.environment);
    const run = findRun(entries, here, args.run);
    if (run === undefined) throw unknownRun(settings, args.run);
    const entry = mapText(run.entry, redact);
    if (run.local !== undefined) {
      writeReport(path, reportOfRun(mapText(eventsOf(run.local), redact), entry));
    } else if (entry !== undefined) {
      writeReport(path, reportOfEntry(entry, ELSEWHERE));
      notes.push(`${ELSEWHERE} The report has what the history on the droplets says.`);
    }
    return { exit: EXIT.ok, output: { type: 'text', lines: [`The report: ${path}`] }, notes };
  },
});

const ELSEWHERE = 'This run was made on another machine, or its files on this one are gone.';

/** What this machine holds can be told without the droplets. */
async function history(
  { ports }: CommandContext,
  settings: LoadedSettings,
): Promise<{ entries: HistoryEntry[]; notes: string[] }> {
  const { readHistory } = await import('../deploy/inspect/read-history.js');
  try {
    const { entries, unreachable } = await readHistory(await ports(settings), settings);
    return {
      entries,
      notes: unreachable.map((droplet) => `${droplet} is unreachable: its part of the history is missing.`),
    };
  } catch (thrown) {
    const error = asDeployError(thrown);
    if (error.source !== 'external') throw error;
    return { entries: [], notes: [`The history on the droplets cannot be read: ${error.message}`] };
  }
}

function unknownRun(settings: LoadedSettings, word: string | undefined): DeployError {
  const message =
    word === undefined ? 'Nothing was deployed yet.' : `Neither the history nor this machine knows a run ${word}.`;
  return new DeployError('unknown-run', message, {
    source: 'user',
    hint: `List the runs: ${doDeploy(settings, 'history')}`,
  });
}
