import type { Engine } from '../engine.js';
import { DockerFailure, NotImplemented } from '../failure.js';
import { listNatRules } from '../iptables.js';
import { type Call, type CallResult, type Command, Output } from './call.js';
import { compose } from './compose.js';
import { info, inspect, logs, processCommand, ps, rm, version, volume, wait } from './containers.js';
import { exec } from './exec.js';
import { image } from './images.js';
import { login } from './login.js';
import { manifest } from './manifest.js';

/** Docker's exit code for a command line that it cannot run. */
const NOT_IMPLEMENTED = 125;

const DOCKER_COMMANDS = new Map<string, Command>([
  ['compose', compose],
  ['exec', exec],
  ['image', image],
  ['info', info],
  ['inspect', inspect],
  ['kill', processCommand('kill')],
  ['login', login],
  ['logs', logs],
  ['manifest', manifest],
  ['ps', ps],
  ['restart', processCommand('restart')],
  ['rm', rm],
  ['start', processCommand('start')],
  ['stop', processCommand('stop')],
  ['version', version],
  ['volume', volume],
  ['wait', wait],
]);

/** Runs one call of `docker` or `iptables`. What the stand-in does not support fails with a message and is recorded. */
export async function runStandIn(engine: Engine, call: Call): Promise<CallResult> {
  const output = new Output();
  try {
    if (call.tool === 'iptables') {
      output.stdout = listNatRules(engine, call.args);
    } else {
      const [name = '', ...args] = call.args;
      const command = DOCKER_COMMANDS.get(name);
      if (command === undefined) throw new NotImplemented(`docker ${call.args.join(' ')}`);
      await command(engine, call, args, output);
    }
    return { code: 0, ...output };
  } catch (error) {
    return { ...failed(engine, call, error, output), stdout: output.stdout, stderr: output.stderr };
  }
}

function failed(engine: Engine, call: Call, error: unknown, output: Output): { code: number } {
  if (error instanceof DockerFailure) {
    output.err(error.message);
    return { code: error.exitCode };
  }
  // The client is gone.
  if (call.signal.aborted) return { code: 130 };
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof NotImplemented)) {
    output.err(`sandbox ${call.tool}: ${message}`);
    return { code: NOT_IMPLEMENTED };
  }
  engine.notImplemented(message);
  output.err(`sandbox ${call.tool}: not implemented: ${message}`);
  return { code: NOT_IMPLEMENTED };
}
