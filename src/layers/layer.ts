/** The contract of a layer: what happens besides the rollout, in one file. */
import type { z } from 'zod';
import type { Confirmation, HandlerContext, LifecycleEvent, LifecyclePayload } from '../rollout/lifecycle.js';
import type { DeployEvent, DeployResult, ReleaseInfo } from '../rollout/model.js';

/** `application`: what belongs to the app, such as migrations. `third-party`: other services. `notifier`: messages. */
export type LayerKind = 'application' | 'third-party' | 'notifier';

export interface Logger {
  info(line: string): void;
  warn(line: string): void;
}

export interface ServiceName {
  readonly name: string;
  /** Where the settings name it: `['services', 0]`. */
  readonly path: readonly (string | number)[];
  /** An earlier version of the files, deployed from git, does without it: there its absence is only a warning. */
  readonly mayBeNew?: boolean;
  /** It is only run in one-off containers: compose does that for a service with `profiles:` as well. */
  readonly isOneOff?: boolean;
  /** It is stopped while its droplet still serves: a service that publishes ports for others is refused. */
  readonly isWorker?: boolean;
}

/** What the handlers of a layer get with each event. */
export interface LayerContext<Config = unknown>
  extends Pick<HandlerContext, 'signal' | 'startedAt' | 'sleep' | 'run' | 'process'> {
  /** The settings in config/deploy.yml, checked. */
  readonly config: Config;
  /** The variables that the layer requires. */
  readonly env: Readonly<Record<string, string>>;
  readonly release: ReleaseInfo;
  /** Names of the fleet's droplets. */
  readonly droplets: readonly string[];
  /** In endings. */
  readonly result?: DeployResult;
  /** Prints lines below the layer's name. */
  readonly logger: Logger;
  /** Like the global one, and ended with the handler's time. */
  readonly fetch: typeof fetch;
  /**
   * Whether the user has confirmed this: by `--confirm NAME`, or by answering the question. Undefined when it was not given,
   * and no user can be asked.
   */
  confirm(name: string, question: string): Promise<boolean | undefined>;
}

export type LayerHandler<Config> = (payload: LifecyclePayload, context: LayerContext<Config>) => void | Promise<void>;

export interface Layer<Schema extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly kind: LayerKind;
  /** Of its settings in config/deploy.yml. An error that continues "layers.NAME.KEY " reads best: "must be …". */
  readonly config: Schema;
  /** Names of variables; each missing one is reported with the layer's name, before anything is contacted. */
  readonly requires?: readonly string[];
  /** Keys of its settings whose values, also those in a map, are masked wherever text is shown. */
  readonly secrets?: readonly string[];
  /** Bounds each handler; by default 30 s, and 5 s in a notifier. */
  readonly timeoutMs?: number | ((config: z.output<Schema>) => number);
  /** Handlers of one event run in this order, lower first; default 50. */
  readonly priority?: number;
  /** Its failures are warnings at every event: what it does is no reason to stop a rollout. By default so in a notifier. */
  readonly mayFail?: boolean;
  /**
   * The names that it passes to `confirm`: others are refused on the command line. One that says when it is asked is
   * required before anything begins where no user can be asked.
   */
  readonly confirms?: (config: z.output<Schema>) => readonly (string | Confirmation)[];
  /**
   * Sees every event that `--json` writes while the run lasts, masked and cleaned. It must return immediately. All handlers
   * of a run get the same `config` object, by which a layer can find what it has kept of the run.
   */
  readonly onEvent?: (event: DeployEvent, context: { readonly config: z.output<Schema> }) => void;
  /** Those of `on` that the settings ask for; by default all. */
  readonly events?: (config: z.output<Schema>) => readonly LifecycleEvent[];
  /** Services that its settings name: a deploy checks that the compose files have them. */
  readonly services?: (config: z.output<Schema>) => readonly ServiceName[];
  readonly on: {
    readonly [Event in LifecycleEvent]?:
      | LayerHandler<z.output<Schema>>
      | { readonly priority?: number; readonly timeoutMs?: number; readonly run: LayerHandler<z.output<Schema>> };
  };
}

/** Declares a layer: infers the type of its settings from the schema. */
export function defineLayer<const Schema extends z.ZodType>(layer: Layer<Schema>): Layer<Schema> {
  return layer;
}
