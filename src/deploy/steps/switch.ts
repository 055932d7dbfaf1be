/** Starts the release's containers. From here until its gates have passed the droplet is half-done, and says so. */
import { DeployError } from '../../errors.js';
import { changeSite } from '../change-site.js';
import type { StepContext } from '../context.js';
import { switchCommand } from '../remote/release-commands.js';
import { nextState, type Site } from '../site.js';
import { watchSite } from '../watch-door.js';

/** On top of the health timeout: containers that do not stop by themselves are given 10 s each by Docker. */
const STOPPING_MS = 120_000;

export async function switchRelease(site: Site, run: StepContext): Promise<undefined> {
  const { release } = run;
  if (release === undefined) return;
  const { clock } = run.ports;
  await watchSite(site, run.settings.app);
  const written = { run: run.id, since: new Date(clock.now()).toISOString() };
  const state = nextState(site, release.id, 'switching', written);
  // To what it runs already: then it is asked to start afresh, where compose by itself would do nothing.
  const again = site.survey.current === release.id && site.survey.state?.release === release.id;
  site.survey = { ...site.survey, state };
  site.services = release.services;
  const timeoutMs = run.settings.rollout.healthTimeoutMs + STOPPING_MS;
  const { code, stdout, stderr } = await changeSite(site, switchCommand(release, state, { again, timeoutMs }));
  if (code !== 0) throw startFailed(site.host.name, code, `${stdout}\n${stderr}`);
}

function startFailed(droplet: string, code: number, output: string): DeployError {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const telling = lines.findLast((line) => /error|failed|unhealthy|exited|cannot|denied|no such/i.test(line));
  return new DeployError(
    'start-failed',
    `The containers did not start: ${telling ?? lines.at(-1) ?? `exit code ${code}`}`,
    {
      droplet,
      hint: 'Mend the image or its settings, then deploy again.',
    },
  );
}
