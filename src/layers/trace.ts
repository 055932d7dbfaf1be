/** The trace of one run: what its events tell, as spans of phases, droplets, steps and layers. */
import { randomBytes } from 'node:crypto';
import type { LifecyclePayload } from '../rollout/lifecycle.js';
import type { DeployEvent } from '../rollout/model.js';
import { type Attributes, exportRequest, KIND, type Span } from './otlp.js';

/** A run over 100 droplets has about 2,500 spans. Later ones are counted. */
const MAX_SPANS = 5_000;

const RESULTS = { succeeded: 'success', skipped: 'skip', failed: 'failure', interrupted: 'cancellation' } as const;

export class Trace {
  readonly #id = newId(16);
  readonly #root = newId(8);
  readonly #spans: Span[] = [];
  #dropped = 0;
  #phase: Span | undefined;
  /** Spans of the current phase, by droplet. */
  readonly #droplets = new Map<string, Span>();
  /** Spans that have not ended, by droplet and step, or layer and event. */
  readonly #open = new Map<string, Span>();

  see(event: DeployEvent): void {
    const at = Date.parse(event.at);
    switch (event.type) {
      case 'phase-started':
        this.#endPhase(at);
        this.#phase = this.#begin(event.phase, this.#root, at, taskOf(event.phase));
        break;
      case 'step-started': {
        const { droplet, step, release } = event;
        const parent = this.#dropletOf(droplet, at);
        const attributes = { ...taskOf(step), 'host.name': droplet, 'do_deploy.release': release };
        this.#open.set(`${droplet} ${step}`, this.#begin(step, parent.id, at, attributes));
        break;
      }
      case 'step-finished':
        this.#end(`${event.droplet} ${event.step}`, at, {
          'cicd.pipeline.task.run.result': 'success',
          'do_deploy.detail': event.detail,
        });
        break;
      case 'step-failed': {
        const { droplet, step, error } = event;
        const attributes = { 'cicd.pipeline.task.run.result': 'failure', 'error.type': error.code };
        this.#end(`${droplet} ${step}`, at, attributes, error.message);
        this.#dropletOf(droplet, at).error = error.message;
        break;
      }
      case 'layer-started': {
        // An ending has none: it would include the layer that sends the trace.
        if (event.event.startsWith('deploy_')) break;
        const { name, droplet } = event;
        const parent = droplet === undefined ? (this.#phase?.id ?? this.#root) : this.#dropletOf(droplet, at).id;
        const attributes = { ...taskOf(name), 'host.name': droplet, 'do_deploy.event': event.event };
        this.#open.set(keyOf(event), this.#begin(`${name} at ${event.event}`, parent, at, attributes));
        break;
      }
      case 'layer-finished':
        this.#end(keyOf(event), at, {});
        break;
    }
  }

  /** The request that sends the trace, once the run has ended. */
  request(payload: LifecyclePayload, service: string): object {
    const { command, app, environment, release, at, durationMs = 0, result, who, url } = payload;
    const to = Date.parse(at);
    this.#endPhase(to);
    // They were interrupted, or their connections were closed.
    for (const key of [...this.#open.keys()]) this.#end(key, to, {}, 'The run ended before this did.');
    const pipeline = `${command} ${app}`;
    const failure = result?.outcome === 'failed' ? (result.error?.message ?? result.summary) : undefined;
    const root: Span = {
      id: this.#root,
      parent: undefined,
      name: `RUN ${pipeline}`,
      kind: KIND.server,
      from: to - durationMs,
      to,
      attributes: {
        'cicd.pipeline.action.name': 'RUN',
        'cicd.pipeline.result': result && RESULTS[result.outcome],
        'error.type': failure && (result?.error?.code ?? '_OTHER'),
        'do_deploy.command': command,
        'do_deploy.image_tag': release.imageTag,
        'do_deploy.who': who,
        'do_deploy.droplets': payload.droplets.length,
        'do_deploy.dropped_spans': this.#dropped === 0 ? undefined : this.#dropped,
      },
      error: failure,
    };
    const resource = {
      'service.name': service,
      'deployment.environment.name': environment,
      'deployment.id': release.id,
      'deployment.name': app,
      'cicd.pipeline.name': pipeline,
      'cicd.pipeline.run.id': this.#id,
      'cicd.pipeline.run.url.full': url,
      'vcs.ref.head.revision': release.commit,
    };
    const spans = this.#spans.map((span) => withRunUrl(span, url));
    return exportRequest(this.#id, resource, [root, ...spans]);
  }

  #begin(name: string, parent: string, from: number, attributes: Attributes): Span {
    const id = newId(8);
    const isTask = 'cicd.pipeline.task.name' in attributes;
    const task = isTask ? { 'cicd.pipeline.task.run.id': id } : {};
    const span: Span = { id, parent, name, kind: KIND.internal, from, attributes: { ...attributes, ...task } };
    if (this.#spans.length < MAX_SPANS) this.#spans.push(span);
    else this.#dropped += 1;
    return span;
  }

  #end(key: string, at: number, attributes: Attributes, error?: string): void {
    const span = this.#open.get(key);
    if (span === undefined) return;
    this.#open.delete(key);
    span.to = at;
    span.attributes = { ...span.attributes, ...attributes };
    span.error = error;
    for (const droplet of this.#droplets.values()) if (droplet.id === span.parent) droplet.to = at;
  }

  #endPhase(at: number): void {
    if (this.#phase !== undefined) this.#phase.to = at;
    this.#phase = undefined;
    this.#droplets.clear();
  }

  #dropletOf(name: string, at: number): Span {
    const known = this.#droplets.get(name);
    if (known !== undefined) return known;
    const span = this.#begin(name, this.#phase?.id ?? this.#root, at, { 'host.name': name });
    this.#droplets.set(name, span);
    return span;
  }
}

function taskOf(name: string): Attributes {
  return { 'cicd.pipeline.task.name': name };
}

function withRunUrl(span: Span, url: string | undefined): Span {
  const isTask = 'cicd.pipeline.task.name' in span.attributes;
  return isTask ? { ...span, attributes: { ...span.attributes, 'cicd.pipeline.task.run.url.full': url } } : span;
}

function keyOf({ name, event, droplet = '' }: { name: string; event: string; droplet?: string }): string {
  return `${droplet} ${name} ${event}`;
}

/** All zeros would not be valid. */
function newId(bytes: number): string {
  const id = randomBytes(bytes);
  return id.some((byte) => byte !== 0) ? id.toString('hex') : newId(bytes);
}
