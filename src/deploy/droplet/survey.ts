import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { errorLine } from '../core/output-lines.js';
import { inParallel } from '../core/parallel.js';
import { reportStep } from '../core/report.js';
import { keep } from './containers.js';
import { environmentCollision } from './environment-collision.js';
import { hideSecretsOn } from './hide-secrets.js';
import { currentRelease, loginTo, type Member, servicesOn } from './member.js';
import { ownPart, readSurvey, surveyCommand } from './survey-command.js';

type Scope = Pick<Settings, 'app' | 'environment'> & Partial<Pick<Settings, 'shared'>>;

/**
 * Surveys every droplet as a step that is reported. Only under the lease: without it, another run may change meanwhile
 * what the survey reads. Throws DeployError environment-collision, or what `check` throws.
 * @param options.prepare also creates the app's folder, and looks whether it can take a release
 * @param options.check runs on each droplet after its survey; returns a detail to report
 */
export async function surveyAll(
  ports: DeployPorts,
  settings: Scope,
  members: readonly Member[],
  options: { prepare: boolean; check?: (member: Member) => string },
): Promise<void> {
  await inParallel(members, (member) =>
    reportStep(ports, { droplet: member.host.name, step: 'check' }, async () => {
      await survey(member, settings, options);
      await hideSecretsOn(ports, settings.app, member);
      const collision = environmentCollision(member, settings);
      if (collision !== undefined) throw collision;
      return options.check?.(member);
    }),
  );
}

/** Surveys every droplet without reporting it. Before the lease it shows only what no run of this environment changes. */
export async function surveyQuietly(members: readonly Member[], settings: Scope): Promise<void> {
  await inParallel(members, (member) => survey(member, settings));
}

/** Reads the droplet and keeps what was read with it. Throws ShellError, or DeployError survey-failed or docker-answer. */
export async function survey(
  member: Member,
  { app, environment, shared }: Scope,
  options: { prepare: boolean } = { prepare: false },
): Promise<void> {
  const { code, stdout, stderr } = await member.connection.run(surveyCommand(app, options.prepare, shared));
  // Half of an answer would show a droplet without releases.
  if (code !== 0) {
    const { name } = member.host;
    throw new DeployError('survey-failed', `${name} could not be read: ${errorLine(stderr, `exit code ${code}`)}`, {
      droplet: name,
      hint: `See whether its shell works: ${loginTo(member)} true`,
    });
  }
  member.survey = ownPart(readSurvey(stdout), environment);
  member.handled = new Map(member.survey.handled);
  keep(member, member.survey.containers?.containers ?? []);
  const current = currentRelease(member);
  member.services = current === undefined ? [] : servicesOn(member, current);
}
