// Reads the API calls and SSH commands in the output of `--verbose --json`.

/** @param events of the command; a trace is reported when the call ends */
export function traces(events) {
  return events
    .filter((event) => event.type === 'trace')
    .map(({ what, ms, at }) => {
      const ended = Date.parse(at);
      const [, droplet, deed] = /^ssh ([^:]+): (.*)$/.exec(what) ?? [];
      return { what, droplet, deed, began: ended - ms, ended };
    });
}

/** How long at least one of them was in progress, in ms. */
export function underWay(spans) {
  let total = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { began, ended } of spans.toSorted((a, b) => a.began - b.began)) {
    total += Math.max(0, ended - Math.max(began, until));
    until = Math.max(until, ended);
  }
  return total;
}
