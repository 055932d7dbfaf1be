import type { Settings } from '../../config/settings.js';
import { quote } from './shell.js';

/** What a command of an environment needs to be typed again. */
export type Environment = Pick<Settings, 'environment' | 'config' | 'set'>;

/** A command line to paste: `do-deploy heal production`, with the options without which it would be about something else. */
export function doDeploy(
  { environment, config, set = [] }: Environment,
  command: string,
  ...args: readonly string[]
): string {
  const name = command === 'deploy' ? [] : command.split(' ');
  const also = [...(config === undefined ? [] : ['--config', config]), ...set.flatMap((one) => ['--set', one])];
  return ['do-deploy', ...[...name, environment, ...args, ...also].map(quote)].join(' ');
}

/** The file to correct, as a user names it. */
export function configFile({ config }: Pick<Settings, 'config'>): string {
  return config ?? 'config/deploy.yml';
}
