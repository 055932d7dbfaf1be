/** The gate of a story: it answers after a while, and says no in its bad time. */
import type { GateSettings } from '../../src/config/settings.js';
import type { LocalCommands } from '../../src/ports.js';
import type { Deployer } from './deployer.js';
import type { Scenario } from './scenario.js';
import { START } from './world.js';

type Gate = NonNullable<Scenario['gate']>;

export function gateSettings({ everyMs, failAfter }: Gate): GateSettings {
  return {
    name: 'story',
    place: 'config/deploy.yml:1',
    command: 'ask the story',
    everyMs,
    failAfter,
    timeoutMs: 10_000,
  };
}

/** Tells the monitor when the gate has said no often enough. */
export function gateCommands(deployer: Deployer): LocalCommands {
  const { world, knowledge } = deployer;
  let failures = 0;
  return {
    async run(_line, { signal }) {
      const { gate } = world.story;
      if (gate === undefined) throw new Error('nobody asked for it');
      await deployer.clock.sleep(gate.answerMs, signal);
      const at = world.clock.now() - START;
      const ok = at < gate.badFromMs || at >= gate.badFromMs + gate.badForMs;
      failures = ok ? 0 : failures + 1;
      if (failures >= gate.failAfter && !signal.aborted && !deployer.interrupted.signal.aborted) {
        world.monitor.tally('gate: failed');
        knowledge.control.gateFails();
      }
      return { ok, detail: ok ? 'exit code 0' : 'exit code 1: the story says no' };
    },
  };
}
