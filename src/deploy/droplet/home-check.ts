/** Whether a droplet's home can take a release and has what `shared:` names: checked before anything is staged. */
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { configFile } from '../core/do-deploy.js';
import { errorLine } from '../core/output-lines.js';
import { appFolder, quote } from '../core/shell.js';
import { loginTo, type Member } from './member.js';

/** Lines that create the app's folder and print what is wrong: `home REASON`, or what `checkShared` prints. */
export function checkHome(app: string, shared: readonly string[]): string[] {
  const folder = appFolder(app);
  const probe = `${folder}/releases/.probe`;
  return [
    // A full disk shows only when something is written.
    `why=$( { mkdir -p ${folder}/releases && printf '%4096s' x >${probe}; } 2>&1 ) || printf 'home %s\\n' "$why"`,
    `rm -f ${probe}`,
    ...checkShared(app, shared),
  ];
}

/**
 * Lines that only read, and print `missing PATH` for a file that is not there, `kind PATH` for what is not the file or folder that
 * it should be, or `closed PATH` where the SSH user may not write.
 */
export function checkShared(app: string, shared: readonly string[]): string[] {
  const folder = appFolder(app);
  return [
    ...(shared.length === 0 ? [] : [`[ ! -e ${folder}/shared ] || [ -w ${folder}/shared ] || echo 'closed '`]),
    ...shared.map((path) => {
      const place = `${folder}/shared/${quote(path.replace(/\/$/, ''))}`;
      const tell = (word: string) => `printf '%s %s\\n' ${word} ${quote(path)}`;
      if (path.endsWith('/')) return `[ ! -e ${place} ] || [ -d ${place} ] || ${tell('kind')}`;
      return `if [ ! -e ${place} ]; then ${tell('missing')}; elif [ ! -f ${place} ]; then ${tell('kind')}; fi`;
    }),
  ];
}

type Shared = Pick<Settings, 'app' | 'shared' | 'config'>;

/**
 * Throws DeployError disk-full, home-unusable, shared-file-missing or shared-unusable.
 * @param settings.shared what the project names; the droplet's words are believed only as far as they repeat it
 */
export function refuseUnusableHome(member: Member, settings: Shared): void {
  const { app, shared = [] } = settings;
  const lines = (member.survey.unusable ?? '').split('\n').filter(Boolean);
  const home = lines.find((line) => line.startsWith('home '));
  if (home !== undefined) throw homeUnusable(member, app, home.slice('home '.length));
  if (lines.includes('closed ')) throw sharedUnusable(member, settings, '', 'may not be written to by the SSH user');
  for (const path of shared) {
    if (lines.includes(`missing ${path}`)) throw sharedFileMissing(member, settings, path);
    const should = path.endsWith('/') ? 'is not a folder' : 'is not a file';
    if (lines.includes(`kind ${path}`)) throw sharedUnusable(member, settings, path, should);
  }
}

function homeUnusable(member: Member, app: string, output: string): DeployError {
  const droplet = member.host.name;
  // dash calls a full disk an I/O error.
  if (/no space left|I\/O error|quota/i.test(output)) {
    return new DeployError('disk-full', `The home of the SSH user on ${droplet} has no room for a release.`, {
      droplet,
      hint: `See what takes the space: ${loginTo(member)} 'df -h ~; du -sh ~/*'`,
    });
  }
  const message = `~/do-deploy/${app} on ${droplet} cannot be written to: ${errorLine(output, 'no reason given')}`;
  return new DeployError('home-unusable', message, {
    droplet,
    hint: `See whose it is: ${loginTo(member)} 'ls -ld ~ ~/do-deploy ~/do-deploy/${app}'`,
  });
}

export function sharedFileMissing(member: Member, settings: Shared, path: string): DeployError {
  const droplet = member.host.name;
  const place = `do-deploy/${settings.app}/shared/${path}`;
  const folder = place.slice(0, place.lastIndexOf('/'));
  return new DeployError(
    'shared-file-missing',
    `${droplet} has no ~/${place}, which shared: in ${configFile(settings)} names.`,
    {
      source: 'user',
      droplet,
      hint: `Put it there: ${loginTo(member)} ${quote(`mkdir -p ${quote(folder)} && cat >${quote(place)}`)} <${quote(path)}`,
    },
  );
}

function sharedUnusable(member: Member, settings: Shared, path: string, what: string): DeployError {
  const droplet = member.host.name;
  const place = `do-deploy/${settings.app}/shared/${path.replace(/\/$/, '')}`.replace(/\/$/, '');
  const see = `see shared: in ${configFile(settings)}`;
  return new DeployError('shared-unusable', `~/${place} on ${droplet} ${what}; ${see}.`, {
    source: 'user',
    droplet,
    hint: `Look at it: ${loginTo(member)} ${quote(`ls -ld ${quote(place)}`)}`,
  });
}
