import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { configFile } from '../core/do-deploy.js';
import { loginTo, type Member } from './member.js';

/**
 * An error when the droplet runs the app for another environment. Two environments would share the folder and the compose
 * project there, and replace each other's containers.
 */
export function environmentCollision(
  member: Member,
  settings: Pick<Settings, 'app' | 'environment' | 'config'>,
): DeployError | undefined {
  const { app, environment } = settings;
  const other = member.survey.otherEnvironment;
  if (other === undefined) return undefined;
  const message = `${member.host.name} runs ${app} for the environment ${other}: ${environment} would replace its containers.`;
  return new DeployError('environment-collision', message, {
    source: 'user',
    droplet: member.host.name,
    hint: `Give ${environment} an app name of its own in ${configFile(settings)}, for example \`app: ${app}-${environment}\` below environments.${environment}. If the droplet no longer serves ${other}, move its releases away: ${loginTo(member)} 'cd do-deploy/${app} && mkdir before && mv releases current state.json before/'`,
  });
}
