/** Asks the project's gates whether a rollout may go on. */
import type { GateSettings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { warn } from '../core/report.js';
import { withStop } from '../core/sentences.js';
import { untilAborted } from '../core/until-aborted.js';
import { isExpected } from './availability.js';

/** Code of the error when a gate cannot be asked: that says nothing of the release. */
export const GATE_UNUSABLE = 'gate-unusable';

interface Answer {
  ok: boolean;
  /** Nobody was asked: its command cannot be run, or its address leads nowhere. */
  isUnusable?: boolean;
  detail: string;
}

export interface Gates {
  gates: readonly GateSettings[];
  /** For commands, without the name of the gate. */
  variables: Readonly<Record<string, string>>;
  /** Ends it, and the commands that run. */
  signal: AbortSignal;
}

/** A question that began so short a time ago need not be repeated, in ms. */
const RECENT_MS = 1_000;

export interface GateWatch extends Gates {
  /** When all have said yes, before anything has changed: then each is asked again at its interval. */
  askedAt?: number;
  /** Called for each gate that has failed often enough, or could not be asked as often. */
  onFailure(error: DeployError): void;
}

export interface WatchedGates {
  /** Resolves when all have failed, or at the signal. */
  ended: Promise<void>;
  /**
   * Resolves once each gate is decided: its last answer is a yes, or it has failed. At a boundary of the rollout, each is asked
   * once more before.
   */
  decide(at: 'boundary' | 'end'): Promise<void>;
}

export function watchGates(ports: DeployPorts, watch: GateWatch): WatchedGates {
  const series = watch.gates.map((gate) => new Series(gate, ports, watch.signal));
  const ended = series.map(async (one) => {
    const { everyMs } = one.gate;
    const since = ports.clock.now() - (watch.askedAt ?? Number.NEGATIVE_INFINITY);
    if (since < everyMs) await one.rest(everyMs - since);
    const failure = await one.untilFailed(watch, () => false);
    if (failure !== undefined) watch.onFailure(failure);
    one.end();
  });
  return {
    ended: Promise.all(ended).then(() => {}),
    decide: async (at) => void (await Promise.all(series.map((one) => one.decide(at)))),
  };
}

/**
 * Asks each gate until its first yes. Throws the error of the first in the list that has failed as often as it may: nothing
 * has changed yet, so it is the user's to act.
 * @param again the command to type when they say yes
 */
export async function askGates(ports: DeployPorts, watch: Gates, again: string): Promise<void> {
  const failures = await Promise.all(
    watch.gates.map((gate) => new Series(gate, ports, watch.signal).untilFailed(watch, (ok) => ok)),
  );
  const failure = failures.find((one) => one !== undefined);
  if (failure === undefined) return;
  const { code, message } = failure;
  const hint =
    code === GATE_UNUSABLE
      ? failure.hint
      : `No droplet has got the release yet, so look at what the gate watches. When it says yes: ${again}`;
  throw new DeployError(code, message, { source: 'user', hint });
}

/** The answers of one gate, of which so many noes in a row are a failure. */
class Series {
  readonly gate: GateSettings;
  readonly #ports: DeployPorts;
  readonly #signal: AbortSignal;
  /** Noes in a row. */
  #failures = 0;
  /** What one of them was instead: nobody could be asked. Then the row accuses no release. */
  #unusable: string | undefined;
  #isAsking = false;
  #beganAt = Number.NEGATIVE_INFINITY;
  #hasEnded = false;
  /** It is asked without waiting for its time. */
  #isDue = false;
  #pause = new AbortController();
  #waiting: (() => void)[] = [];

  constructor(gate: GateSettings, ports: DeployPorts, signal: AbortSignal) {
    this.gate = gate;
    this.#ports = ports;
    this.#signal = signal;
  }

  /** @param isOver after this answer it is not asked again */
  async untilFailed(watch: Gates, isOver: (ok: boolean) => boolean): Promise<DeployError | undefined> {
    const { name, failAfter, everyMs } = this.gate;
    while (!this.#signal.aborted) {
      this.#isAsking = true;
      this.#beganAt = this.#ports.clock.now();
      // An answer that comes after the signal does not count.
      const answer = await untilAborted(ask(this.#ports, this.gate, watch), this.#signal);
      this.#isAsking = false;
      if (answer === undefined || isOver(answer.ok)) return undefined;
      const { ok, detail, isUnusable } = answer;
      this.#failures = ok ? 0 : this.#failures + 1;
      this.#unusable = ok ? undefined : (this.#unusable ?? (isUnusable ? detail : undefined));
      if (this.#failures >= failAfter) {
        if (this.#unusable !== undefined) return gateUnusable(this.gate, this.#unusable);
        return gateFailed(name, this.#failures, detail);
      }
      if (!ok) {
        const what = isUnusable ? 'cannot be asked' : 'failed';
        warn(this.#ports, `Gate ${name} ${what} (${this.#failures} of ${failAfter}): ${detail}`);
      }
      this.#tell();
      await this.rest(everyMs);
    }
    return undefined;
  }

  async rest(ms: number): Promise<void> {
    // Who was told of the answer may want the next one at once.
    await Promise.resolve();
    this.#pause = new AbortController();
    if (!this.#isDue) await this.#ports.clock.sleep(ms, AbortSignal.any([this.#signal, this.#pause.signal]));
    this.#isDue = false;
  }

  /** Bounded: after a yes, or as many noes as it may say, nothing is open. */
  async decide(at: 'boundary' | 'end'): Promise<void> {
    const from = this.#ports.clock.now() - RECENT_MS;
    const isOpen = () => this.#isAsking || this.#failures > 0 || (at === 'boundary' && this.#beganAt < from);
    while (!this.#hasEnded && !this.#signal.aborted && isOpen()) {
      if (!this.#isAsking && this.#beganAt < from && at === 'boundary') this.#askNow();
      await untilAborted(new Promise<void>((resolve) => this.#waiting.push(resolve)), this.#signal);
    }
  }

  #askNow(): void {
    this.#isDue = true;
    this.#pause.abort();
  }

  end(): void {
    this.#hasEnded = true;
    this.#tell();
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

async function ask({ commands, web }: DeployPorts, gate: GateSettings, { variables, signal }: Gates): Promise<Answer> {
  if (gate.command === undefined) {
    const { status, detail, isUnresolved } = await web.get(gate.url, gate.timeoutMs);
    return { ok: isExpected(status, gate.expect), detail, isUnusable: isUnresolved };
  }
  if (commands === undefined) throw new Error('this run was started without a way to run commands');
  const { command, timeoutMs, name } = gate;
  return await commands.run(command, { variables: { ...variables, DO_DEPLOY_GATE: name }, timeoutMs, signal });
}

function gateFailed(name: string, failures: number, detail: string): DeployError {
  const times = failures === 1 ? '' : ` ${failures} times in a row`;
  return new DeployError('gate-failed', `Gate ${name} failed${times}: ${withStop(detail)}`, {
    hint: `See what the gate ${name} of rollout.gates watches. Fix the release, then deploy again.`,
  });
}

/** Nobody has said no often enough: the release is not at fault. */
function gateUnusable({ name, place, command }: GateSettings, detail: string): DeployError {
  const what = command === undefined ? 'The address' : 'The command';
  const hint =
    command === undefined
      ? `Correct the host name of its url at ${place}, or the name server of this machine. Then deploy again.`
      : `Correct its command at ${place}: it must be a program of this machine, executable. Then deploy again.`;
  return new DeployError(GATE_UNUSABLE, `${what} of the gate ${name} (${place}) cannot be used: ${withStop(detail)}`, {
    hint,
  });
}
