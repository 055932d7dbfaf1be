/** What goes on at a moment of a run, from its events. */
import { inWords, wholeSeconds } from '../durations.js';
import type { DeployEvent, Step } from '../rollout/model.js';
import { phaseSentence, stepPhrase, taskPhrase } from './phrases.js';
import { count } from './text.js';

/** Of the sentences about what goes on: more would bury the rest. */
const MOST_SENTENCES = 3;

interface StepUnderWay {
  step: Step;
  since: number;
  detail?: string;
}

export class UnderWay {
  #phase: { text: string; since: number } | undefined;
  #rest: { rest: 'pause' | 'bake'; until: number } | undefined;
  /** By droplet. */
  readonly #steps = new Map<string, StepUnderWay>();
  /** Layers, hooks and tasks, by what tells them apart. */
  readonly #others = new Map<string, { text: string; since: number }>();
  /** Without a balancer some steps have other names. */
  readonly #unbalanced = new Set<string>();

  follow(event: DeployEvent): void {
    const at = Date.parse(event.at);
    switch (event.type) {
      case 'rollout-started':
        for (const { name, rotation } of event.rows) if (rotation === 'none') this.#unbalanced.add(name);
        break;
      case 'phase-started':
        this.#phase = { text: lowerFirst(phaseSentence({ phase: event.phase })), since: at };
        break;
      case 'rest-started':
        this.#rest = { rest: event.rest, until: at + event.ms };
        break;
      case 'rest-finished':
        this.#rest = undefined;
        break;
      case 'step-started':
        this.#steps.set(event.droplet, { step: event.step, since: at });
        break;
      case 'step-progress': {
        const step = this.#steps.get(event.droplet);
        if (step !== undefined) step.detail = event.detail;
        break;
      }
      case 'step-finished':
      case 'step-failed':
        this.#steps.delete(event.droplet);
        break;
      case 'task-started':
        this.#others.set(event.task, { text: taskPhrase(event), since: at });
        break;
      case 'task-finished':
        this.#others.delete(event.task);
        break;
      case 'layer-started': {
        const text = `running ${event.name}${event.droplet === undefined ? '' : ` for ${event.droplet}`}`;
        this.#others.set(layerKey(event), { text, since: at });
        break;
      }
      case 'layer-finished':
        this.#others.delete(layerKey(event));
        break;
      case 'rollout-finished':
        this.#phase = undefined;
        this.#rest = undefined;
        this.#steps.clear();
        this.#others.clear();
    }
  }

  /** "still pulling images on web-3 (30 s)"; empty where nothing goes on. */
  sentences(now: number): string[] {
    const others = [...this.#others.values()];
    const all = [...this.#stepSentences(now), ...others.map(({ text, since }) => still(text, now - since))];
    if (this.#rest !== undefined && this.#rest.until > now)
      all.push(`${inWords(this.#rest.until - now)} of the ${this.#rest.rest} are left`);
    if (all.length === 0 && this.#phase !== undefined) all.push(still(this.#phase.text, now - this.#phase.since));
    return all.slice(0, MOST_SENTENCES);
  }

  /** One for each step, the longest first. */
  #stepSentences(now: number): string[] {
    const longestFirst = [...this.#steps].sort(([, one], [, other]) => one.since - other.since);
    const byStep = new Map<Step, [string, StepUnderWay][]>();
    for (const one of longestFirst) byStep.set(one[1].step, [...(byStep.get(one[1].step) ?? []), one]);
    return [...byStep].map(([step, droplets]) => {
      const [[name, { since, detail }]] = droplets as [[string, StepUnderWay]];
      const { present } = stepPhrase(step, { rotation: this.#unbalanced.has(name) ? 'none' : 'in' });
      const more = droplets.length === 1 ? '' : ` and ${count(droplets.length - 1, 'other droplet')}`;
      return `${still(`${present} on ${name}${more}`, now - since)}${detail === undefined ? '' : `: ${detail}`}`;
    });
  }
}

function still(text: string, ms: number): string {
  return `still ${text} (${wholeSeconds(ms)})`;
}

function layerKey({ name, event, droplet = '' }: { name: string; event: string; droplet?: string }): string {
  return `${name} ${event} ${droplet}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
