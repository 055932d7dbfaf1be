/** Passes the events of a run on to the layers that watch it, masked and cleaned. */
import { reasonOf } from '../errors.js';
import type { Reporter } from '../ports.js';
import { mapText } from '../reporters/redacting.js';
import type { Handler, LayerFacts } from '../rollout/lifecycle.js';
import type { DeployEvent } from '../rollout/model.js';

/**
 * A reporter that also shows each event to the layers of these handlers. What one of them throws is a warning, once: it
 * sees no further events.
 */
export function watchedBy(
  handlers: readonly Handler[],
  reporter: Reporter,
  redact: (text: string) => string,
): Reporter {
  const watching = new Map<LayerFacts, string>();
  for (const { layer, name } of handlers) if (layer?.onEvent !== undefined) watching.set(layer, name);
  if (watching.size === 0) return reporter;

  const giveUp = (layer: LayerFacts, at: string, error: unknown) => {
    const name = watching.get(layer);
    if (name === undefined) return;
    watching.delete(layer);
    const reason = reasonOf(error).slice(0, 500).replace(/\.$/, '');
    const message = `The ${name} cannot follow this run: ${reason}.`;
    reporter.report({ schema: 2, at, type: 'notice', level: 'warning', message });
  };
  return {
    report(event: DeployEvent) {
      reporter.report(event);
      if (watching.size === 0) return;
      const shown = mapText(event, redact);
      for (const layer of [...watching.keys()]) {
        try {
          // A layer of the project may be asynchronous although its type says otherwise.
          const later: unknown = layer.onEvent?.(shown);
          if (later instanceof Promise) later.catch((error) => giveUp(layer, event.at, error));
        } catch (error) {
          giveUp(layer, event.at, error);
        }
      }
    },
    close: async () => await reporter.close?.(),
  };
}
