/** Asks the project's gates whether a rollout may go on. */
import type { GateSettings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { onAbort } from '../core/on-abort.js';
import { warn } from '../core/report.js';
import { isExpected } from './availability.js';

interface Answer {
  ok: boolean;
  detail: string;
}

export interface GateWatch {
  gates: readonly GateSettings[];
  /** For commands, without the name of the gate. */
  variables: Readonly<Record<string, string>>;
  /** Called for each gate that has failed often enough. */
  onFailure(error: DeployError): void;
  /** Ends it, and the commands that run. */
  signal: AbortSignal;
}

/** Resolves when all have failed, or at the signal. */
export async function watchGates(ports: DeployPorts, watch: GateWatch): Promise<void> {
  await Promise.all(watch.gates.map((gate) => askAgain(ports, gate, watch)));
}

async function askAgain(ports: DeployPorts, gate: GateSettings, watch: GateWatch): Promise<void> {
  const { signal } = watch;
  const { name, failAfter, everyMs } = gate;
  for (let failures = 0; !signal.aborted; ) {
    const answer = await untilAborted(ask(ports, gate, watch), signal);
    if (answer === undefined) return;
    const { ok, detail } = answer;
    failures = ok ? 0 : failures + 1;
    if (failures >= failAfter) {
      watch.onFailure(gateFailed(name, failures, detail));
      return;
    }
    if (!ok) warn(ports, `Gate ${name} failed (${failures} of ${failAfter}): ${detail}`);
    await ports.clock.sleep(everyMs, signal);
  }
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

async function ask(
  { commands, web }: DeployPorts,
  gate: GateSettings,
  { variables, signal }: GateWatch,
): Promise<Answer> {
  if (gate.command === undefined) {
    const { status, detail } = await web.get(gate.url, gate.timeoutMs);
    return { ok: isExpected(status, gate.expect), detail };
  }
  if (commands === undefined) throw new Error('this run was started without a way to run commands');
  const { command, timeoutMs, name } = gate;
  return await commands.run(command, { variables: { ...variables, DO_DEPLOY_GATE: name }, timeoutMs, signal });
}

function gateFailed(name: string, failures: number, detail: string): DeployError {
  const times = failures === 1 ? '' : ` ${failures} times in a row`;
  return new DeployError('gate-failed', `Gate ${name} failed${times}: ${detail.replace(/\.$/, '')}.`, {
    hint: `See what the gate ${name} of rollout.gates watches. Fix the release, then deploy again.`,
  });
}
