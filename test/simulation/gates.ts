/** The gate of a story: it answers after a while, and says no in its bad time. */
import type { GateSettings, ProbeSettings } from '../../src/config/settings.js';
import type { LocalCommands, Web } from '../../src/ports.js';
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

type Probe = NonNullable<Scenario['probe']>;

const SITE = 'https://shop.example.com/';

export function probeSettings({ intervalMs, maxFailures }: Probe): ProbeSettings {
  return { url: SITE, intervalMs, maxFailures, timeoutMs: 5_000, expect: [{ from: 200, to: 399 }] };
}

/** The site, as it answers from here. Tells the monitor when it has failed more often than it may, once droplets change. */
export function siteOf(deployer: Deployer): Web {
  const { world, knowledge } = deployer;
  let failures = 0;
  return {
    async get() {
      const { probe } = world.story;
      if (probe === undefined) throw new Error('nobody asked for it');
      await deployer.clock.sleep(probe.answerMs);
      const at = world.clock.now() - START;
      if (at < probe.badFromMs || at >= probe.badFromMs + probe.badForMs) return { status: 200, detail: 'HTTP 200' };
      if (knowledge.control.isRolling && LEADING.has(deployer.plan.command)) failures += 1;
      if (failures === probe.maxFailures + 1 && !deployer.interrupted.signal.aborted) {
        world.monitor.tally('probe: failed');
        knowledge.control.watchFails();
      }
      return { status: 503, detail: 'HTTP 503' };
    },
  };
}

/** Commands that bring a release, and stop for what is watched. */
export const LEADING: ReadonlySet<string> = new Set(['deploy', 'adopt', 'promote']);

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
      if (ok) knowledge.control.gateSaysYes();
      if (failures >= gate.failAfter && !signal.aborted && !deployer.interrupted.signal.aborted) {
        world.monitor.tally('gate: failed');
        knowledge.control.watchFails();
      }
      return { ok, detail: ok ? 'exit code 0' : 'exit code 1: the story says no' };
    },
  };
}
