/** The sentences for events: the one place where events become English. */
import { describeCommit } from '../rollout/commit.js';
import {
  COMMAND_NOUNS,
  type DeployEvent,
  type DeployResult,
  type DropletOutcome,
  type EndOfCanary,
  type ReleaseInfo,
  type RollingCommand,
  type StatusRow,
  type Step,
  type Task,
} from '../rollout/model.js';
import { count, duration } from './text.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

const STEP_PHRASES: Record<Step, { present: string; past: string }> = {
  connect: { present: 'connecting', past: 'connected' },
  check: { present: 'checking the droplet', past: 'checked the droplet' },
  upload: { present: 'uploading files', past: 'uploaded files' },
  pull: { present: 'pulling images', past: 'pulled images' },
  prepare: { present: 'running the prepare script', past: 'ran the prepare script' },
  build: { present: 'building images', past: 'built images' },
  'mark-out': { present: 'marking it out', past: 'marked it out' },
  leave: { present: 'leaving the balancer', past: 'left the balancer' },
  drain: { present: 'draining', past: 'drained' },
  switch: { present: 'starting containers', past: 'started containers' },
  health: { present: 'waiting for healthy containers', past: 'containers are healthy' },
  'balancer-check': { present: 'running the balancer check', past: 'passed the balancer check' },
  rejoin: { present: 'rejoining the balancer', past: 'rejoined the balancer' },
  settle: { present: 'settling in rotation', past: 'settled in rotation' },
  clear: { present: 'clearing its mark', past: 'cleared its mark' },
  'record-by-hand': { present: 'recording that it was taken out', past: 'recorded that it was taken out' },
  'start-stopped': { present: 'starting what layers have stopped', past: 'started what layers had stopped' },
  evidence: { present: 'collecting evidence', past: 'collected evidence' },
  finish: { present: 'cleaning up', past: 'cleaned up' },
};

/** Without a balancer. */
const SETTLING_ALONE = { present: 'watching the containers', past: 'containers kept running' };

export function stepPhrase(step: Step, row: Pick<StatusRow, 'rotation'> | undefined) {
  return step === 'settle' && row?.rotation === 'none' ? SETTLING_ALONE : STEP_PHRASES[step];
}

const PHASES: Record<EventOf<'phase-started'>['phase'], string> = {
  discover: 'Finding the fleet',
  lease: 'Locking the fleet',
  stage: 'Staging the release on every droplet',
  roll: 'Rolling out',
  finish: 'Cleaning up',
};

export function phaseSentence(event: Pick<EventOf<'phase-started'>, 'phase' | 'detail'>): string {
  return event.detail === undefined ? PHASES[event.phase] : `${PHASES[event.phase]}: ${event.detail}`;
}

/** "Deploying shop v2 to production" */
export function runTitle(event: EventOf<'rollout-started'>): string {
  const { app, environment, release } = event;
  // Which release that is, is known only after the survey.
  if (event.ends === 'promote') return `Promoting the canary of ${app} on ${environment}`;
  if (event.ends === 'abort') return `Taking back the canary of ${app} on ${environment}`;
  if (event.command === 'heal') return `Healing ${app} on ${environment}`;
  if (event.command === 'adopt') return `Adopting droplets of ${app} on ${environment}`;
  if (event.command === 'droplet out') return `Taking a droplet of ${app} on ${environment} out of rotation`;
  if (event.command === 'droplet in') return `Bringing a droplet of ${app} on ${environment} back`;
  if (event.command === 'restart') return `Restarting ${app} on ${environment}`;
  if (event.command === 'stop') return `Stopping a service of ${app} on ${environment}`;
  if (event.command === 'start') return `Starting a service of ${app} on ${environment}`;
  if (event.command === 'deploy') return `Deploying ${app} ${versionWords(release)} to ${environment}`;
  // Which release is before the current one is known only after the survey.
  const to = release.imageTag === '' ? '' : ` to ${versionWords(release)}`;
  return `Rolling ${app} on ${environment} back${to}`;
}

/** "Deploying shop v1 → v2 to production": the title once it is known what is replaced. */
export function headline(event: EventOf<'rollout-started'>, old: string, now: ReleaseInfo): string {
  const { command, ends, app, environment } = event;
  if (command === 'deploy' && ends === undefined)
    return `Deploying ${app} ${old} → ${versionWords(now)} to ${environment}`;
  return `${runTitle({ ...event, release: { id: '', imageTag: '' } })}: ${old} → ${now.imageTag}`;
}

/** The name in the id of a release: "v1.4.2" of 20261121T074500Z-v1.4.2. */
export function nameOf(id: string): string {
  return id.replace(/^\d{8}T\d{6}Z-/, '');
}

/** "v1.4.2"; for files from git "v1.4.2 (commit 1a2b3c4, with uncommitted changes)". */
export function versionWords({ imageTag, commit, dirty }: Pick<ReleaseInfo, 'imageTag' | 'commit' | 'dirty'>): string {
  return commit === undefined ? imageTag : `${imageTag} (${describeCommit({ commit, dirty })})`;
}

export function openingSentence(event: EventOf<'rollout-started'>): string {
  return `${runTitle(event)}: ${count(event.rows.length, 'droplet')}, ${event.target}${event.release.id && `, release ${event.release.id}`}`;
}

/** "web, batch 2: web-3 (the last batch of web, then worker: 3 droplets)" */
export function batchSentence({ batch, droplets, left, role, later = [], back }: EventOf<'batch-started'>): string {
  const names = droplets.join(', ');
  const of = role === undefined ? '' : ` of ${role}`;
  const own = left === 0 ? `the last batch${of}` : `${count(left, 'droplet')}${of} after this`;
  if (back) return `Taking the release back from ${names}${left === 0 ? '' : ` (${own})`}`;
  const then = later.map((one) => `, then ${one.role}: ${count(one.droplets, 'droplet')}`).join('');
  return `${role === undefined ? 'Batch' : `${role}, batch`} ${batch}: ${names} (${own}${then})`;
}

const TASKS: Record<Task, (detail: string | undefined) => string> = {
  'wait-lock': (detail) => `waiting for ${detail ?? 'another deploy'} to end`,
  observe: () => 'observing the fleet',
  'ask-gates': () => 'asking the gates',
};

export function taskPhrase({ task, detail }: Pick<EventOf<'task-started'>, 'task' | 'detail'>): string {
  return TASKS[task](detail);
}

export function restSentence({ rest, ms }: EventOf<'rest-started'>): string {
  return rest === 'pause'
    ? `Pausing for ${duration(ms)} before the next batch`
    : `The last batch is done: watching the release for ${duration(ms)} (bake)`;
}

/** How the run ended, in one or two sentences. */
export function closingSentence(result: DeployResult, command: RollingCommand, ends?: EndOfCanary): string {
  const time = duration(result.durationMs);
  switch (result.outcome) {
    case 'succeeded':
      if (result.held !== undefined) return heldSentence(result, command);
      return command === 'heal'
        ? `Healed in ${time}. ${result.summary}`
        : `${successSentence(result, command)} in ${time}.${otherSentences(result)}`;
    case 'skipped':
      return command === 'heal' || command === 'adopt'
        ? `Nothing to ${command}. ${result.summary}`
        : command === 'droplet out' || command === 'droplet in'
          ? `Nothing to do. ${result.summary}`
          : nothingToDo(result);
    case 'interrupted':
      return `Interrupted after ${time}.`;
    case 'failed':
      return failureSentence(result, ends === undefined ? COMMAND_NOUNS[command] : ENDS_NOUNS[ends]);
  }
}

/** "Deployed v2 to web-1 and web-2 in 16 s, and held it there." */
function heldSentence(result: DeployResult, command: RollingCommand): string {
  const { held, release, rows } = result;
  const time = duration(result.durationMs);
  const names = held?.droplets ?? [];
  const where = names.length > 3 ? count(names.length, 'droplet') : listed(names);
  const deployed = rows.filter(({ outcome }) => outcome === 'deployed').map(({ name }) => name);
  const isAll = deployed.length > 0 && deployed.every((name) => names.includes(name));
  if (command === 'deploy' && held?.imageTag === release.imageTag && isAll) {
    const to = deployed.length === names.length ? where : `${count(deployed.length, 'droplet')} more`;
    const there = deployed.length === names.length ? 'there' : `on ${where}`;
    return `Deployed ${versionWords(release)} to ${to} in ${time}, and held it ${there}.`;
  }
  const done = command === 'heal' ? 'Healed' : successSentence(result, command);
  return `${done} in ${time}. ${held?.imageTag} is held on ${where}.`;
}

/** "web-1, web-2 and web-3" */
function listed(names: readonly string[]): string {
  const last = names.slice(-2).join(' and ');
  return [...names.slice(0, -2), last].join(', ');
}

function successSentence(result: DeployResult, command: RollingCommand): string {
  const droplets = count(result.rows.filter((row) => row.outcome === 'deployed').length, 'droplet');
  if (command === 'droplet out') return `Took ${namesOf(result, 'taken out')} out of rotation`;
  if (command === 'droplet in')
    return `Brought ${namesOf(result, 'deployed')} back with ${versionWords(result.release)}`;
  if (command === 'restart') return `Restarted ${droplets}`;
  if (command === 'stop') return `Stopped the service on ${droplets}`;
  if (command === 'start') return `Started the service on ${droplets}`;
  if (command === 'rollback') return `Rolled ${droplets} back to ${versionWords(result.release)}`;
  return command === 'adopt'
    ? `Adopted ${droplets} with ${versionWords(result.release)}`
    : `Deployed ${versionWords(result.release)} to ${droplets}`;
}

function namesOf({ rows }: DeployResult, outcome: DropletOutcome): string {
  return rows.flatMap((row) => (row.outcome === outcome ? [row.name] : [])).join(', ');
}

function otherSentences(result: DeployResult): string {
  const same = result.rows.filter((row) => row.outcome === 'up to date').length;
  return `${same === 0 ? '' : ` ${count(same, 'droplet')} already up to date.`}${skippedSentence(result)}`;
}

function skippedSentence({ rows }: DeployResult): string {
  const skipped = rows.filter((row) => row.outcome === 'skipped').length;
  return skipped === 0 ? '' : ` ${count(skipped, 'droplet')} skipped.`;
}

function nothingToDo(result: DeployResult): string {
  const { held } = result;
  if (held !== undefined) return `Nothing to do: ${held.imageTag} is held on ${held.droplets.join(', ')}.`;
  const { length } = result.rows.filter((row) => row.outcome !== 'skipped');
  const fleet = length === 1 ? 'the droplet already runs' : `all ${length} droplets already run`;
  return `Nothing to do: ${fleet} ${result.release.imageTag}.${skippedSentence(result)}`;
}

const ENDS_NOUNS: Record<EndOfCanary, string> = { promote: 'Promotion', abort: 'Abort' };

function failureSentence(result: DeployResult, noun: string): string {
  const { error } = result;
  if (error === undefined) return `${noun} failed after ${duration(result.durationMs)}.`;
  const where = error.droplet === undefined ? '' : ` on ${error.droplet}`;
  const step = stepOf(error.step);
  const row = result.rows.find(({ name }) => name === error.droplet);
  const when = step === undefined ? '' : ` while ${stepPhrase(step, row).present}`;
  return `${noun} failed${where}${when}: ${error.message}`;
}

/** The step of an error can be any text; only those of a rollout have a phrase. */
function stepOf(step: string | undefined): Step | undefined {
  return step !== undefined && Object.hasOwn(STEP_PHRASES, step) ? (step as Step) : undefined;
}
