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
    seeds: [43, 45],
  },
  {
    name: 'sick droplets count as serving',
    file: 'src/rollout/planner.ts',
    text: 'return isServingPlace(droplet.rotation) && droplet.healthy;',
    instead: 'return isServingPlace(droplet.rotation);',
    breaks: ['a'],
    seeds: [97, 133],
  },
  {
    name: 'a droplet that cannot be asked counts as serving',
    file: 'src/rollout/planner.ts',
    text: 'return isServingPlace(droplet.rotation) && droplet.healthy;',
    instead: 'return isServingPlace(droplet.rotation) && (droplet.healthy || droplet.unasked);',
    breaks: ['a'],
    seeds: [5698, 11482, 12099, 20996, 32166, 32734, 37200, 40458],
  },
  {
    name: 'batches are too large',
    file: 'src/rollout/planner.ts',
    text: 'if (chosen.length === size) break;',
    instead: 'if (chosen.length === size + 1) break;',
    breaks: ['a'],
    seeds: [4, 12],
  },
  {
    name: 'the look at the world is taken once and for all',
    file: 'src/rollout/planner.ts',
    text: '        batch: state.batch + 1,\n        looked: false,',
    instead: '        batch: state.batch + 1,',
    breaks: ['a'],
    seeds: [3, 4],
  },
  {
    name: 'the look never waits',
    file: 'src/deploy/world.ts',
    text: '  const young = (site: Site) => youngFor(run, site, wellness.get(site), members.get(site.droplet.id));',
    instead: '  const young = (_: Site) => 0;',
    breaks: ['a'],
    seeds: [26135, 196977],
  },
  {
    name: 'an interruption is not heeded',
    file: 'src/rollout/planner.ts',
    text: 'if (state.stuck || state.interrupted) return false;',
    instead: 'if (state.stuck) return false;',
    breaks: ['g'],
    seeds: [36, 55],
  },
  {
    name: 'the ledger is written after the droplet has left',
    file: 'src/rollout/courses.ts',
    text: `        ...(droplet.inLedger ? [] : ['record' as const]),`,
    instead: '',
    breaks: ['g'],
    seeds: [2, 3],
  },
  {
    name: 'the drain is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'drain',\n        'switch',",
    instead: "        'switch',",
    breaks: ['b'],
    seeds: [4, 7],
  },
  {
    name: 'the health gate is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'switch',\n        'health',\n        'probe',",
    instead: "        'switch',\n        'probe',",
    breaks: ['c'],
    seeds: [2, 3],
  },
  {
    name: 'the probe is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'health',\n        'probe',\n        'rejoin',",
    instead: "        'health',\n        'rejoin',",
    breaks: ['c'],
    seeds: [2, 3],
  },
  {
    name: 'settling is skipped',
    file: 'src/rollout/courses.ts',
    text: "        'rejoin',\n        'settle',\n        'clear',\n      ];\n    case 'return':",
    instead: "        'rejoin',\n        'clear',\n      ];\n    case 'return':",
    breaks: ['c'],
    seeds: [2, 3],
  },
  {
    name: 'the ledger is cleared before the droplet has settled',
    file: 'src/rollout/courses.ts',
    text: "        'settle',\n        'clear',\n      ];\n    case 'return':",
    instead: "        'clear',\n        'settle',\n      ];\n    case 'return':",
    breaks: ['c'],
    seeds: [2, 3],
  },
  {
    name: 'the lease is not asked for before a change, nor by the droplet',
    file: 'src/deploy/lease.ts',
    text: '    if (site === undefined || this.#held.has(dropletId)) return;',
    instead: '    return;',
    breaks: ['e'],
    seeds: [1036560, 1051715, 1055117, 1056102, 1059964, 1064909, 1068076, 1070115],
  },
  {
    name: 'a failed droplet is done',
    file: 'src/rollout/courses.ts',
    text: "    case 'abandon':\n      return 'given-up';",
    instead: "    case 'abandon':\n      return 'done';",
    breaks: ['d'],
    seeds: [3, 7],
  },
  {
    name: 'untouched ones always return',
    file: 'src/rollout/courses.ts',
    text: "return droplet.foundOut || droplet.halfDone ? 'abandon' : 'return';",
    instead: "return 'return';",
    breaks: ['g'],
    seeds: [1666, 57404, 67370],
  },
  {
    name: 'what was half-done returns',
    file: 'src/rollout/courses.ts',
    text: "return droplet.foundOut || droplet.halfDone ? 'abandon' : 'return';",
    instead: "return droplet.foundOut ? 'abandon' : 'return';",
    breaks: ['g'],
    seeds: [57404, 67370, 71261, 74779],
  },
  {
    name: 'going back goes to the new release',
    file: 'src/deploy/orchestrator.ts',
    text: "action.towards === 'previous' ? previous.get(action.droplet)",
    instead: "action.towards === 'previous' ? release",
    breaks: ['d', 'f'],
    seeds: [626, 655],
  },
  {
    name: 'a bad release is not taken back',
    file: 'src/rollout/courses.ts',
    text: "  return canGoBack ? 'back' : 'abandon';",
    instead: "  return 'abandon';",
    breaks: ['f'],
    seeds: [626, 403],
  },
  {
    name: 'revert-fleet takes nothing back',
    file: 'src/rollout/planner.ts',
    text: '  return takeBackTheDone(condemns(state, id, failure) ? startReverting(stopping) : stopping);',
    instead: '  return stopping;',
    breaks: ['j'],
    seeds: [492, 1007, 2009, 3215],
  },
  {
    name: 'revert-fleet forgets those in the same batch',
    file: 'src/rollout/planner.ts',
    text: 'return takeBackTheDone(update(state, [occurrence.droplet], afterStep));',
    instead: 'return update(state, [occurrence.droplet], afterStep);',
    breaks: ['j'],
    seeds: [492, 4651, 12455, 13067],
  },
  {
    name: 'an error that leaves the outcome open is taken for success',
    file: 'src/targets/settle-change.ts',
    text: '      if (await showsBeforeLong(change, clock)) return;',
    instead: '      return;',
    breaks: ['b', 'c', 'd', 'g'],
    seeds: [371, 830],
  },
  {
    name: 'a release that could not be confirmed is deployed',
    file: 'src/deploy/steps/clear.ts',
    text: '  if (code === 0) return;',
    instead: '  if (code >= 0) return;',
    breaks: ['d', 'g'],
    seeds: [71, 325],
  },
  {
    name: 'heal goes to the latest release, proven or not',
    file: 'src/rollout/choose-release.ts',
    text: '  return heldByAll.find((release) => verified.has(release));',
    instead: '  return heldByAll[0];',
    breaks: ['f'],
    seeds: [7, 192],
  },
];
