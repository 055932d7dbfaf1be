/** Time in the sandbox. Tests inject one that they turn by hand. */
export interface SandboxClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `action` once, `ms` from now; at once and synchronously when `ms` is 0. Returns how to call it off. */
  after(ms: number, action: () => void): () => void;
}

export const realTime: SandboxClock = {
  now: () => Date.now(),
  after(ms, action) {
    if (ms <= 0) {
      action();
      return () => {};
    }
    const timer = setTimeout(action, ms);
    // A change that is still under way must not keep a finished process alive.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
