/** Faults to plant into the product, and which of the monitor's properties each must break. */

export interface Mutation {
  name: string;
  /** From the root. */
  file: string;
  /** Stands exactly once in it. */
  text: string;
  instead: string;
  /** Letters of the properties, as in monitor.ts. */
  breaks: string[];
  /** Stories that show it. */
  seeds: number[];
}

export const MUTATIONS: Mutation[] = [
  {
    name: 'the floor is off by one',
    file: 'src/rollout/planner.ts',
    text: 'if (spare <= 0) break;',
    instead: 'if (spare < 0) break;',
    breaks: ['a'],
    seeds: [],
  },
  {
    name: 'sick droplets count as serving',
    file: 'src/rollout/planner.ts',
    text: 'return isServingPlace(droplet.rotation) && droplet.healthy;',
    instead: 'return isServingPlace(droplet.rotation);',
    breaks: ['a'],
    seeds: [],
  },
  {
    name: 'batches are too large',
    file: 'src/rollout/planner.ts',
    text: 'if (chosen.length === size) break;',
    instead: 'if (chosen.length === size + 1) break;',
    breaks: ['a'],
    seeds: [],
  },
  {
    name: 'the look at the world is taken once and for all',
    file: 'src/rollout/planner.ts',
    text: '        batch: state.batch + 1,\n        looked: false,',
    instead: '        batch: state.batch + 1,',
    breaks: ['a'],
    seeds: [],
  },
  {
    name: 'whoever cannot be asked is taken to be sick',
    file: 'src/rollout/planner.ts',
    text: 'else if (mayServe(droplet) && spare < 0) continue;',
    instead: '',
    breaks: ['a'],
    seeds: [],
  },
  {
    name: 'an untouched droplet is not put back',
    file: 'src/rollout/courses.ts',
    text: 'if (!droplet.touched) return untouchedEnd(droplet);',
    instead: "if (!droplet.touched) return 'given-up';",
    breaks: ['d', 'f', 'g'],
    seeds: [],
  },
  {
    name: 'an interruption is not heeded',
    file: 'src/rollout/planner.ts',
    text: 'if (state.stuck || state.interrupted) return false;',
    instead: 'if (state.stuck) return false;',
    breaks: ['g'],
    seeds: [],
  },
  {
    name: 'a droplet that is found out is not told to leave',
    file: 'src/rollout/courses.ts',
    text: "droplet.rotation === 'out' && droplet.touched ?",
    instead: "droplet.rotation === 'out' ?",
    breaks: ['b'],
    seeds: [],
  },
  {
    name: 'the ledger is written after the droplet has left',
    file: 'src/rollout/courses.ts',
    text: `        ...(droplet.inLedger ? [] : ['record' as const]),`,
    instead: '',
    breaks: ['g'],
    seeds: [],
  },
  {
    name: 'the drain is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'drain',\n        'switch',",
    instead: "        'switch',",
    breaks: ['b'],
    seeds: [],
  },
  {
    name: 'the health gate is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'switch',\n        'health',\n        'probe',",
    instead: "        'switch',\n        'probe',",
    breaks: ['c'],
    seeds: [],
  },
  {
    name: 'the probe is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'health',\n        'probe',\n        'rejoin',",
    instead: "        'health',\n        'rejoin',",
    breaks: ['c'],
    seeds: [],
  },
  {
    name: 'settling is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'rejoin',\n        'settle',\n        'clear',\n      ];\n    case 'return':",
    instead: "        'rejoin',\n        'clear',\n      ];\n    case 'return':",
    breaks: ['c'],
    seeds: [],
  },
  {
    name: 'the ledger is cleared before the droplet has settled',
    file: 'src/rollout/courses.ts',
    text: "        'settle',\n        'clear',\n      ];\n    case 'return':",
    instead: "        'clear',\n        'settle',\n      ];\n    case 'return':",
    breaks: ['c'],
    seeds: [],
  },
  {
    name: 'the lease is not asked for before a change, nor by the droplet',
    file: 'src/deploy/lease.ts',
    text: '    if (site === undefined || this.#held.has(dropletId)) return;',
    instead: '    return;',
    breaks: ['e'],
    seeds: [],
  },
  {
    name: 'a lease counts as held without an answer',
    file: 'src/deploy/lease.ts',
    text: '    void this.#hear(site.droplet.id, process);',
    instead: '',
    breaks: ['e'],
    seeds: [],
  },
  {
    name: 'droplets do not refuse another run',
    file: 'src/deploy/remote/lease-command.ts',
    text: "return `${named} || { echo 'another run has taken the lock' >&2; exit ${NOT_HOLDER}; }`;",
    instead: "return ': ' + named.slice(0, 0);",
    breaks: ['e'],
    seeds: [],
  },
  {
    name: 'a failed droplet is done',
    file: 'src/rollout/courses.ts',
    text: "    case 'abandon':\n      return 'given-up';",
    instead: "    case 'abandon':\n      return 'done';",
    breaks: ['d'],
    seeds: [],
  },
  {
    name: 'going back goes to the new release',
    file: 'src/deploy/orchestrator.ts',
    text: "action.towards === 'previous' ? previous.get(action.droplet)",
    instead: "action.towards === 'previous' ? release",
    breaks: ['d', 'f'],
    seeds: [],
  },
  {
    name: 'an error that leaves the outcome open is taken for success',
    file: 'src/targets/settle-change.ts',
    text: '      if (await showsBeforeLong(change, clock)) return;',
    instead: '      return;',
    breaks: ['b', 'c', 'd', 'g'],
    seeds: [],
  },
  {
    name: 'a release that could not be confirmed is deployed',
    file: 'src/deploy/steps/clear.ts',
    text: '  if (code === 0) return;',
    instead: '  if (code >= 0) return;',
    breaks: ['d', 'g'],
    seeds: [],
  },
  {
    name: 'the time of an answer passes for silence at the door',
    file: 'src/deploy/door.ts',
    text: '    this.#at = asked;',
    instead: '    this.#at = now;',
    breaks: ['b'],
    seeds: [],
  },
  {
    name: 'the ledger is proved before the lease is held',
    file: 'src/deploy/session.ts',
    text: '  stopIfInterrupted(session);\n  const { ports, release } = session;',
    instead:
      '  await fleet.ledger.prove(fleet.look.droplets.map(({ droplet }) => droplet));\n  const { ports, release } = session;',
    breaks: ['e', 'g'],
    seeds: [],
  },
  {
    name: 'heal goes to the latest release, proven or not',
    file: 'src/rollout/choose-release.ts',
    text: '  return heldByAll.find((release) => verified.has(release));',
    instead: '  return heldByAll[0];',
    breaks: ['f'],
    seeds: [],
  },
];
