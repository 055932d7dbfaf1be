/** What would change on droplets: files, images, services and what has to be pulled. */
import { DeployError } from '../../errors.js';
import type { PlannedDifference } from '../../rollout/plan.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { inParallel } from '../core/parallel.js';
import { currentRelease, type Member, runningRelease } from '../droplet/member.js';
import { refuseFull } from '../staging/check-room.js';
import { askedImages, readRoom } from '../staging/room-command.js';
import { roomOn } from './ask-registry.js';
import { compareFiles } from './compare-files.js';
import { compareImages, compareServices } from './compare-services.js';
import type { Findings } from './findings.js';
import type { Goal } from './goals.js';
import type { PlanOptions } from './plan-options.js';
import { readTexts } from './wanted.js';

/** Droplets with the same differences are together, and what one of them answers is taken for all. */
export async function differencesOf(
  ports: DeployPorts,
  options: PlanOptions,
  goal: Goal,
  members: readonly Member[],
  found: Findings,
): Promise<PlannedDifference[]> {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    const key = JSON.stringify([
      currentRelease(member)?.images ?? {},
      runningRelease(member),
      [...member.survey.found],
    ]);
    groups.set(key, [...(groups.get(key) ?? []), member]);
  }
  const differences = await inParallel([...groups.values()], async (group) => {
    try {
      return [await differenceOf(ports, options, goal, group, found)];
    } catch (error) {
      if (!(error instanceof DeployError)) throw error;
      const names = group.map(({ host }) => host.name).join(', ');
      found.note(`What differs on ${names} is not known: ${error.message}`);
      return [];
    }
  });
  return differences.flat();
}

async function differenceOf(
  ports: DeployPorts,
  { read }: PlanOptions,
  goal: Goal,
  group: readonly Member[],
  found: Findings,
): Promise<PlannedDifference> {
  const [first] = group as readonly [Member, ...Member[]];
  const wanted = await goal.wantedBy(first);
  const { files, before } = await compareFiles(first, wanted, read, ports.hide);
  const texts = await readTexts(wanted);
  const current = currentRelease(first);
  const changed = new Set(files.map(({ path }) => path));
  const textBefore = (path: string) => (changed.has(path) ? before(path) : texts.get(path));
  const asked = new Set(askedImages(goal.images));
  const compared = {
    current,
    release: wanted.release,
    before: current && read.project({ ...current, textOf: textBefore }),
    after: read.project({ ...wanted.run, textOf: (path) => texts.get(path) }),
    files,
    digests: goal.digests,
    unknown: (image: string) => whyUnknown(asked.has(image), current !== undefined),
  };
  const images = compareImages(compared);
  const rooms = goal.images.length === 0 ? [] : await inParallel(group, (one) => roomOn(one, goal.login, goal.images));
  const sizes = rooms.flatMap((answer, index) => {
    const room = answer === undefined ? undefined : readRoom(answer);
    if (room !== undefined) found.refusal(() => refuseFull(group[index] as Member, room));
    return room?.missingBytes ?? [];
  });
  return {
    droplets: group.map(({ host }) => host.name),
    files,
    images,
    services: compareServices(compared, images),
    ...(sizes.length > 0 && { pullBytes: Math.max(...sizes) }),
  };
}

function whyUnknown(isAsked: boolean, hasRelease: boolean): string {
  if (!isAsked) return 'Docker Hub is not asked, because it counts each question as a pull';
  if (!hasRelease) return 'no release on the droplet yet can ask the registry';
  return 'the registry did not say which image the tag stands for';
}
