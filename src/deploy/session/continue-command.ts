import type { ReleaseInfo } from '../../rollout/model.js';
import { doDeploy, type Environment } from '../core/do-deploy.js';
import type { Session, SessionOptions } from './session.js';

/** What a rollout was asked for, as far as its own command line says it. */
export interface Asked extends Environment, Pick<SessionOptions, 'part' | 'ends' | 'words'> {
  command: Session['command'];
}

/** A run, as far as its command line goes. */
export interface Asking extends Pick<Session, 'command' | 'release'> {
  options: Pick<SessionOptions, 'settings' | 'part' | 'ends' | 'words' | 'again' | 'skip'>;
}

export function askedOf({ command, options: { settings, part, ends, words } }: Omit<Asking, 'release'>): Asked {
  const { environment, config, set } = settings;
  return { command, environment, config, set, part, ends, words };
}

/** The command line of this run, with further options. */
export function again(session: Asking, ...options: string[]): string {
  const { options: given, release } = session;
  return given.again?.(...options) ?? continueCommand(askedOf(session), release, ...options);
}

/** The command that continues a rollout. */
export function continueCommand(
  asked: Asked,
  { id, imageTag }: Pick<ReleaseInfo, 'id' | 'imageTag'>,
  ...more: readonly string[]
): string {
  const { command, part, ends, words = [] } = asked;
  if (ends !== undefined) return doDeploy(asked, ends, ...more);
  switch (command) {
    case 'deploy':
      return doDeploy(asked, 'deploy', imageTag, ...partWords(part), ...more);
    case 'rollback':
      return doDeploy(asked, 'rollback', ...[id || imageTag].filter(Boolean), ...more);
    default:
      return doDeploy(asked, command, ...words, ...more);
  }
}

function partWords(part: SessionOptions['part']): string[] {
  if (part === undefined) return [];
  if ('droplets' in part) return ['--droplets', part.droplets.join(',')];
  return part.canary === 'first batch' ? ['--canary'] : ['--canary', String(part.canary)];
}
