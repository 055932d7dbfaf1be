/** Time in the sandbox. Tests inject a manual clock. */
export interface SandboxClock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Runs `action` once after `ms`; synchronously if `ms` is 0. Returns how to cancel it. */
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
    // A pending change must not keep the process alive.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
