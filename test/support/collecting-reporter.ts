import type { Reporter } from '../../src/ports.js';
import type { DeployEvent } from '../../src/rollout/model.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

/** Keeps every event, as it was when it was reported. */
export class CollectingReporter implements Reporter {
  readonly events: DeployEvent[] = [];

  report(event: DeployEvent): void {
    this.events.push(structuredClone(event));
  }

  /** The events of one type, in order. */
  of<T extends DeployEvent['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }
}
