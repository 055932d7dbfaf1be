// Reads the traces of API calls and SSH commands from `--debug --json`.

/** @param events of the command; each trace is written when its call ends */
export function traces(events) {
  return events
    .filter((event) => event.type === 'trace')
    .map(({ what, ms, at }) => {
      const ended = Date.parse(at);
      const [, droplet, action] = /^ssh ([^:]+): (.*)$/.exec(what) ?? [];
      return { what, droplet, action, began: ended - ms, ended };
    });
}

/** Milliseconds during which at least one of them was under way. */
export function underWay(spans) {
  let total = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { began, ended } of spans.toSorted((a, b) => a.began - b.began)) {
    total += Math.max(0, ended - Math.max(began, until));
    until = Math.max(until, ended);
  }
  return total;
}
