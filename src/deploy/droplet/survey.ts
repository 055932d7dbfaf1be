import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inParallel } from '../core/parallel.js';
import { staged } from '../core/report.js';
import { currentRelease, type Member } from './member.js';
import { otherEnvironment } from './other-environment.js';
import { ownPart, readSurvey, surveyCommand } from './survey-command.js';
/**
 * Takes the survey of each droplet: under the lease, or another run changes meanwhile what it says.
 * @param prepare also makes the app's folder
 * @param each told of each droplet, for a check of what was found
 */
export async function surveyAll(
  ports: DeployPorts,
  settings: Pick<Settings, 'app' | 'environment'>,
  members: readonly Member[],
  options: { prepare: boolean; each?: (member: Member) => string },
): Promise<void> {
  await inParallel(members, (member) =>
    staged(ports, member.host.name, 'check', async () => {
      await survey(member, settings, options.prepare);
      const collision = otherEnvironment(member, settings);
      if (collision !== undefined) throw collision;
      return options.each?.(member);
    }),
  );
}

/** Takes the survey of each droplet quietly, before the lease: for what no run of this environment changes. */
export async function surveyEach(
  members: readonly Member[],
  settings: Pick<Settings, 'app' | 'environment'>,
): Promise<void> {
  await inParallel(members, (member) => survey(member, settings, false));
}

export async function survey(
  member: Member,
  { app, environment }: Pick<Settings, 'app' | 'environment'>,
  prepare: boolean,
): Promise<void> {
  const { stdout } = await member.connection.run(surveyCommand(app, prepare));
  member.survey = ownPart(readSurvey(stdout), environment);
  member.containers = member.survey.containers?.containers ?? [];
  member.services = currentRelease(member)?.services ?? [];
}
