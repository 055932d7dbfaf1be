/** Seeded chance: the same seed, the same rollout. */

/** Gives numbers in [0, 1). */
export type Random = () => number;

/** mulberry32, by Tommy Ettinger (public domain). */
export function random(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One of them; each as likely as the others. */
export function pick<T>(chance: Random, options: readonly [T, ...T[]]): T {
  return options[Math.floor(chance() * options.length)] ?? options[0];
}

/** Whole milliseconds from 0 to `most`. */
export function upTo(chance: Random, most: number): number {
  return Math.floor(chance() * (most + 1));
}
