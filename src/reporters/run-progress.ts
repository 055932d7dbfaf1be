/** How far a run is, from its events: what the head of the live view says. */
import { inWords } from '../durations.js';
import type { Capacity, DeployEvent, ReleaseInfo, StatusRow } from '../rollout/model.js';
import { headline, nameOf, phaseSentence, runTitle, taskPhrase } from './phrases.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

export class RunProgress {
  startedAt = 0;
  title = '';
  probes: { total: number; failed: number } | undefined;
  readonly #capacities = new Map<string, Capacity>();
  #started: EventOf<'rollout-started'> | undefined;
  #forecast: EventOf<'forecast'> | undefined;
  #phase = '';
  /** What takes its time outside of steps, while it does. */
  #task: string | undefined;
  #rest: { rest: 'pause' | 'bake'; until: number } | undefined;
  /** When each batch was begun. */
  #batches: number[] = [];
  #isGoingBack = false;
  /** Something failed, or was interrupted: what follows takes an unknown time. */
  #isTroubled = false;
  #isInterrupted = false;

  /** @param rows after the event */
  follow(event: DeployEvent, rows: readonly StatusRow[]): void {
    const at = Date.parse(event.at);
    switch (event.type) {
      case 'rollout-started':
        this.#started = event;
        this.startedAt = at;
        this.title = runTitle(event);
        break;
      case 'phase-started':
        this.#phase = phaseSentence(event);
        break;
      case 'forecast':
        this.#forecast = event;
        this.#nameReleases(event.release, rows);
        break;
      case 'batch-started':
        if (event.back) this.#isGoingBack = true;
        else this.#batches.push(at);
        break;
      case 'rest-started':
        this.#rest = { rest: event.rest, until: at + event.ms };
        break;
      case 'rest-finished':
        this.#rest = undefined;
        break;
      case 'task-started':
        if (event.task !== 'observe') this.#task = taskPhrase(event);
        break;
      case 'task-finished':
        this.#task = undefined;
        break;
      case 'capacity':
        this.#capacities.set(event.role ?? '', event);
        break;
      case 'probed':
        this.probes = event;
        break;
      case 'deploy-interrupted':
        this.#isInterrupted = true;
        this.#isTroubled = true;
        break;
      case 'step-failed':
      case 'watch-failed':
        this.#isTroubled = true;
    }
  }

  #nameReleases(now: ReleaseInfo, rows: readonly StatusRow[]): void {
    if (this.#started === undefined) return;
    const old = [...new Set(rows.map(({ release }) => release))].filter((id) => id !== '' && id !== now.id);
    const names = old.map(nameOf);
    if (names.length === 0) return;
    // The same tag again: only the ids tell them apart.
    const isAmbiguous = names.includes(now.imageTag);
    const [shown, to] = isAmbiguous ? [old, { ...now, imageTag: now.id }] : [names, now];
    this.title = headline(this.#started, shown.length > 2 ? `${shown.length} releases` : shown.join(' and '), to);
  }

  /** "Rolling out, batch 2 of 3" */
  get phase(): string {
    const phase = this.#ownPhase;
    return this.#isInterrupted ? `Interrupted: ${phase.charAt(0).toLowerCase()}${phase.slice(1)}` : phase;
  }

  get #ownPhase(): string {
    if (this.#rest !== undefined) return this.#rest.rest === 'bake' ? 'Baking' : 'Pausing before the next batch';
    if (this.#task !== undefined) return this.#task.charAt(0).toUpperCase() + this.#task.slice(1);
    if (this.#isGoingBack) return 'Taking the release back';
    const begun = this.#batches.length;
    const isRolling = begun > 0 && this.#phase === phaseSentence({ phase: 'roll' });
    if (!isRolling) return this.#phase;
    return `${this.#phase}, batch ${begun} of ${Math.max(begun, this.#forecast?.batches ?? 0)}`;
  }

  /** "serving: 2 of 3, floor 2"; empty where there is no capacity to keep. */
  get capacity(): string {
    const texts = [...this.#capacities.values()].map(
      ({ role, serving, of, floor }) => `${role === undefined ? '' : `${role} `}${serving} of ${of}, floor ${floor}`,
    );
    return texts.length === 0 ? '' : `serving: ${texts.join('; ')}`;
  }

  /** Whether fewer droplets serve than must. */
  get isBelowFloor(): boolean {
    return [...this.#capacities.values()].some(({ serving, floor }) => serving < floor);
  }

  /** "about 40 s left"; undefined where nothing is known. */
  timeLeft(now: number): string | undefined {
    if (this.#isTroubled || this.#isGoingBack) return undefined;
    if (this.#rest?.rest === 'bake') return leftWords(this.#rest.until - now, 'exactly');
    return leftWords(this.#byOwnBatches(now) ?? this.#byPastRuns(now) ?? 0, 'about');
  }

  /** Each batch takes as long as those before did on average, with what comes between two. */
  #byOwnBatches(now: number): number | undefined {
    const { batches, bakeMs = 0 } = this.#forecast ?? {};
    const [first, last] = [this.#batches[0], this.#batches.at(-1)];
    const begun = this.#batches.length;
    if (batches === undefined || first === undefined || last === undefined || begun < 2) return undefined;
    const each = (last - first) / (begun - 1);
    return Math.max(0, each - (now - last)) + each * Math.max(0, batches - begun) + bakeMs;
  }

  #byPastRuns(now: number): number | undefined {
    const { estimate } = this.#forecast ?? {};
    return estimate && estimate.ms - (now - this.startedAt);
  }
}

/** A guess that counts every second down claims too much. */
function leftWords(ms: number, how: 'about' | 'exactly'): string | undefined {
  if (ms <= 0) return undefined;
  if (how === 'exactly') return `${inWords(Math.ceil(ms / 1_000) * 1_000)} left`;
  const unit = ms < 60_000 ? 5_000 : ms < 300_000 ? 15_000 : 60_000;
  return `about ${inWords(Math.ceil(ms / unit) * unit)} left`;
}
