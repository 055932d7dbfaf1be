import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { loginTo, type Member } from './member.js';
/** Two environments of one app on a droplet would share folder and compose project, and replace each other's containers. */
export function otherEnvironment(
  member: Member,
  { app, environment }: Pick<Settings, 'app' | 'environment'>,
): DeployError | undefined {
  const other = member.survey.otherEnvironment;
  if (other === undefined) return undefined;
  const message = `${member.host.name} runs ${app} for the environment ${other}: ${environment} would replace its containers.`;
  return new DeployError('environment-collision', message, {
    source: 'user',
    droplet: member.host.name,
    hint: `Give ${environment} an app of its own in config/deploy.yml, for example \`app: ${app}-${environment}\` below environments.${environment}. If the droplet serves ${other} no longer: ${loginTo(member)} rm -rf do-deploy/${app}`,
  });
}
