/** Pulls again after a failure of the network or the registry that is likely to pass. */

import { wholeSeconds } from '../../durations.js';
import type { CommandResult, RemoteCommand } from '../../ports.js';
import { errorLine } from '../core/output-lines.js';
import { warn } from '../core/report.js';
import type { Member } from '../droplet/member.js';
import type { Staging } from './staging.js';

/** Before the second, third and fourth attempt. */
const PAUSES_MS: readonly number[] = [2_000, 8_000, 20_000];

const PASSING =
  /\bEOF\b|i\/o timeout|TLS handshake timeout|no such host|server misbehaving|temporary failure|connection (refused|reset)|broken pipe|no route to host|network is unreachable|Client\.Timeout|deadline exceeded|\b(500|502|503|504)\b|internal server error|bad gateway|service unavailable|gateway time-?out/i;

const LASTING = /denied|unauthorized|not found|unknown|toomanyrequests|rate limit|no space left|x509/i;

/** Runs the command up to four times, until the signal aborts. Returns the last result, even a failure. Throws ShellError. */
export async function runWithRetries(
  { ports, signal }: Pick<Staging, 'ports' | 'signal'>,
  member: Member,
  command: RemoteCommand,
): Promise<CommandResult> {
  for (let attempt = 0; ; attempt += 1) {
    const result = await member.connection.run(command);
    const pause = PAUSES_MS[attempt];
    const reason = errorLine(result.stderr);
    if (result.code === 0 || pause === undefined || !isPassing(reason)) return result;
    const wait = pause * spread(member.host.id);
    warn(ports, `The pull failed; retrying in ${wholeSeconds(wait)}: ${reason}`, member.host.name);
    await ports.clock.sleep(wait, signal);
    if (signal?.aborted) return result;
  }
}

/** Whether a later attempt may succeed without a change by the user. */
export function isPassing(reason: string): boolean {
  return PASSING.test(reason) && !LASTING.test(reason);
}

/** 0.5 to 1.5, by the droplet's id: a fleet's droplets do not all retry in the same second. */
function spread(id: number): number {
  return 0.5 + ((id * 0.618_034) % 1);
}
