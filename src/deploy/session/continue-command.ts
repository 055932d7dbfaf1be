import type { ReleaseInfo } from '../../rollout/model.js';
import { quote } from '../core/shell.js';
import type { Session, SessionOptions } from './session.js';

/** What a rollout was asked for, as far as its own command line says it. */
export interface Asked extends Pick<SessionOptions, 'part' | 'ends' | 'words'> {
  command: Session['command'];
  environment: string;
}

export function askedOf({
  command,
  options: { settings, part, ends, words },
}: Pick<Session, 'command' | 'options'>): Asked {
  return { command, environment: settings.environment, part, ends, words };
}

/** The command that continues a rollout. */
export function continueCommand(
  { command, environment, part, ends, words = [] }: Asked,
  { id, imageTag }: Pick<ReleaseInfo, 'id' | 'imageTag'>,
): string {
  if (ends !== undefined) return `do-deploy ${ends} ${environment}`;
  switch (command) {
    case 'deploy':
      return ['do-deploy', environment, imageTag, ...partWords(part)].join(' ');
    case 'rollback':
      return ['do-deploy rollback', environment, id || imageTag].filter(Boolean).join(' ');
    default:
      return ['do-deploy', command, environment, ...words.map(quote)].join(' ');
  }
}

function partWords(part: SessionOptions['part']): string[] {
  if (part === undefined) return [];
  if ('droplets' in part) return ['--droplets', quote(part.droplets.join(','))];
  return part.canary === 'first batch' ? ['--canary'] : ['--canary', String(part.canary)];
}
