/** What earlier runs and people have left: records, releases, images, and droplets that are not as they were deployed. */
import { type Diagnosis, diagnose } from '../../../rollout/diagnosis.js';
import type { Difference } from '../../../rollout/drift.js';
import { doDeploy } from '../../core/do-deploy.js';
import { capital } from '../../core/sentences.js';
import { appFolder, quote } from '../../core/shell.js';
import { CATALOGUE, type FindingName } from '../catalogue.js';
import type { DropletFacts, Facts, RoleFacts } from '../facts.js';
import type { Found } from '../found.js';

export function checkLeftovers({ roles }: Facts): Found[] {
  return roles.flatMap((role) => [
    ...lock(role),
    ...dispute(role),
    ...role.byHand.map(({ droplet, sentence }): Found => {
      const fix = doDeploy(role.settings, 'droplet in', droplet);
      return { name: 'taken-out-by-hand', droplet, message: sentence, fix };
    }),
    ...role.differences.flatMap((difference) => ofFleet(difference, role)),
    ...role.droplets.flatMap((droplet) => ofReleases(droplet, role)),
  ]);
}

function lock({ holder, settings }: RoleFacts): Found[] {
  if (holder === undefined) return [];
  const since = holder.since === '' ? '' : `, since ${holder.since}`;
  return [
    {
      name: 'lease-held',
      message: `${holder.who} holds the lock${since}.`,
      fix: `Wait until that run has ended. To stop it: ${doDeploy(settings, 'lock break')}`,
    },
  ];
}

function dispute({ dispute: why, settings }: RoleFacts): Found[] {
  return why === undefined
    ? []
    : [
        {
          name: 'release-disputed',
          message: why,
          fix: `Deploy once more, or see ${doDeploy(settings, 'status', '--check')}.`,
        },
      ];
}

/** Differences that `status --check` finds, and that are about what was deployed. */
const NAMES: Partial<Record<Difference['kind'], FindingName>> = {
  'out-of-rotation': 'out-of-rotation',
  'recorded-as-out': 'recorded-as-out',
  departed: 'departed',
  'no-release': 'no-release',
  'other-release': 'other-release',
  'half-done': 'half-done',
  'file-changed': 'file-changed',
  'file-missing': 'file-gone',
  'image-differs': 'image-differs',
  'container-missing': 'container-missing',
  'container-not-healthy': 'container-not-healthy',
};

/** Their messages begin with a path, or with the name of a service. */
const BEGINS_WITH_NAME: ReadonlySet<FindingName> = new Set([
  'file-changed',
  'file-gone',
  'image-differs',
  'container-missing',
  'container-not-healthy',
]);

function ofFleet(difference: Difference, { settings, hasRelease, clearable }: RoleFacts): Found[] {
  const { kind, droplet, message, fix } = difference;
  if (kind === 'check-fails') return [ofCheck(difference, settings)];
  const name = NAMES[kind];
  // Before the first deploy no droplet has one.
  if (name === undefined || (name === 'no-release' && !hasRelease)) return [];
  return [
    {
      name,
      droplet,
      message: `${BEGINS_WITH_NAME.has(name) ? message : capital(message)}.`,
      fix: fix === undefined ? undefined : doDeploy(settings, fix),
      fixable: name === 'recorded-as-out' && clearable.has(droplet),
    },
  ];
}

/** What the answer to a check says of its cause. */
function ofCheck({ droplet, message }: Difference, settings: RoleFacts['settings']): Found {
  const known: Diagnosis | undefined = diagnose({
    droplet,
    login: '',
    code: 'balancer-check-failed',
    failure: message,
    containers: [],
  });
  const name =
    known !== undefined && Object.hasOwn(CATALOGUE, known.name) ? (known.name as FindingName) : 'check-fails';
  return {
    name,
    droplet,
    // Every droplet takes another time for the same answer.
    message: `${capital(message.replace(/ in [\d.]+ m?s$/, ''))}.`,
    // Where the app itself fails, only its log says why.
    fix:
      known === undefined || name === 'check-app-error' ? `Read its log: ${doDeploy(settings, 'logs')}` : known.remedy,
  };
}

function ofReleases(droplet: DropletFacts, { settings }: RoleFacts): Found[] {
  const { name, login, machine, unproven, goneImages } = droplet;
  const folder = appFolder(settings.app);
  const partial = machine?.partial ?? [];
  const found: Found[] = [];
  if (partial.length > 0) {
    found.push({
      name: 'staging-leftover',
      droplet: name,
      message: `~/do-deploy/${settings.app} holds what a deploy has left: ${partial.join(', ')}.`,
      fix: `If no deploy is running: ${login} ${quote(`cd ${folder} && rm -rf ${partial.map((one) => quote(`./${one}`)).join(' ')}`)}`,
    });
  }
  if (unproven.length > 0) {
    found.push({
      name: 'release-unproven',
      droplet: name,
      message: `It holds ${unproven.join(', ')}, which never passed its checks there.`,
      fix: `Nothing, if you deploy soon: a later deploy removes it. Otherwise keep fewer releases: keep_releases.`,
    });
  }
  for (const [release, image] of goneImages) {
    found.push({
      name: 'image-gone',
      droplet: name,
      message: `${image} of release ${release} was removed.`,
      fix: `Deploy that version again instead of a rollback to it. What removes images there? See ${login} crontab -l`,
    });
  }
  return found;
}
