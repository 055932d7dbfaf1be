/** What would be refused, and what is worth saying: a plan collects where a rollout stops. */
import { DeployError } from '../../errors.js';
import type { PlanFinding } from '../../rollout/plan.js';

/** Refusals as findings: the same functions refuse a rollout by throwing. */
export class Findings {
  readonly #all: PlanFinding[];

  constructor(known: readonly PlanFinding[]) {
    this.#all = [...known];
  }

  get all(): PlanFinding[] {
    return this.#all;
  }

  add(finding: PlanFinding): void {
    this.#all.push(finding);
  }

  note(message: string, droplet?: string): void {
    this.add({ kind: 'note', message, ...(droplet && { droplet }) });
  }

  refused(error: unknown): undefined {
    if (!(error instanceof DeployError)) throw error;
    const { code, message, hint, droplet } = error;
    this.add({ kind: 'refused', code, message, ...(hint && { hint }), ...(droplet && { droplet }) });
  }

  refusal<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      return this.refused(error);
    }
  }

  /** What the user can correct is a finding; what keeps the fleet from being known is not. */
  async unlessRefused<T>(task: () => Promise<T>): Promise<T | undefined> {
    try {
      return await task();
    } catch (error) {
      if (error instanceof DeployError && error.source === 'user') return this.refused(error);
      throw error;
    }
  }
}
