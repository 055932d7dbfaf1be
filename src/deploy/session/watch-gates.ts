/** Asks the project's gates whether a rollout may go on. */
import type { GateSettings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { onAbort } from '../core/on-abort.js';
import { warn } from '../core/report.js';
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

export interface GateWatch extends Gates {
  /** Called for each gate that has failed often enough, or could not be asked as often. */
  onFailure(error: DeployError): void;
}

/** Resolves when all have failed, or at the signal. */
export async function watchGates(ports: DeployPorts, watch: GateWatch): Promise<void> {
  await Promise.all(
    watch.gates.map(async (gate) => {
      const failure = await untilFailed(ports, gate, watch, () => false);
      if (failure !== undefined) watch.onFailure(failure);
    }),
  );
}

/**
 * Asks each gate until its first yes. Throws the error of the first in the list that has failed as often as it may: nothing
 * has changed yet, so it is the user's to act.
 * @param again the command to type when they say yes
 */
export async function askGates(ports: DeployPorts, watch: Gates, again: string): Promise<void> {
  const failures = await Promise.all(watch.gates.map((gate) => untilFailed(ports, gate, watch, (ok) => ok)));
  const failure = failures.find((one) => one !== undefined);
  if (failure === undefined) return;
  const { code, message } = failure;
  const hint =
    code === GATE_UNUSABLE
      ? failure.hint
      : `No droplet has got the release yet, so look at what the gate watches. When it says yes: ${again}`;
  throw new DeployError(code, `${message} Nothing was changed in rotation.`, { source: 'user', hint });
}

/** @param isOver after this answer it is not asked again */
async function untilFailed(
  ports: DeployPorts,
  gate: GateSettings,
  watch: Gates,
  isOver: (ok: boolean) => boolean,
): Promise<DeployError | undefined> {
  const { signal } = watch;
  const { name, failAfter, everyMs } = gate;
  for (let failures = 0; !signal.aborted; ) {
    const answer = await untilAborted(ask(ports, gate, watch), signal);
    if (answer === undefined || isOver(answer.ok)) return undefined;
    const { ok, detail, isUnusable } = answer;
    failures = ok ? 0 : failures + 1;
    if (failures >= failAfter) return isUnusable ? gateUnusable(gate, detail) : gateFailed(name, failures, detail);
    if (!ok) {
      const what = isUnusable ? 'cannot be asked' : 'failed';
      warn(ports, `Gate ${name} ${what} (${failures} of ${failAfter}): ${detail}`);
    }
    await ports.clock.sleep(everyMs, signal);
  }
  return undefined;
}

/** An answer that comes after the signal is not waited for, and does not count. */
async function untilAborted(answer: Promise<Answer>, signal: AbortSignal): Promise<Answer | undefined> {
  const done = new AbortController();
  const aborted = new Promise<undefined>((resolve) => onAbort(signal, () => resolve(undefined), done.signal));
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    done.abort();
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
  return new DeployError('gate-failed', `Gate ${name} failed${times}: ${sentence(detail)}`, {
    hint: `See what the gate ${name} of rollout.gates watches. Fix the release, then deploy again.`,
  });
}

/** Its last answers may have been good: the release is not at fault. */
function gateUnusable({ name, place, command }: GateSettings, detail: string): DeployError {
  const what = command === undefined ? 'The address' : 'The command';
  const hint =
    command === undefined
      ? `Correct the host name of its url at ${place}, or the name server of this machine. Then deploy again.`
      : `Correct its command at ${place}: it must be a program of this machine, executable. Then deploy again.`;
  return new DeployError(GATE_UNUSABLE, `${what} of the gate ${name} (${place}) cannot be used: ${sentence(detail)}`, {
    hint,
  });
}

function sentence(detail: string): string {
  return `${detail.replace(/\.$/, '')}.`;
}
