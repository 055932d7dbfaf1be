/** Calls `act` once when the signal aborts, also when it already has; not after `until` has aborted. */
export function onAbort(signal: AbortSignal, act: () => void, until: AbortSignal): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true, signal: until });
}
