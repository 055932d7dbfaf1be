/**
 * What a program can import from do-deploy: what it takes to write a layer (docs/layers.md), and the types of what `--json`
 * writes (docs/events.md).
 */
export { z } from 'zod';
export type { ErrorInfo, ErrorSource } from './errors.js';
export { defineLayer, type Layer, type LayerContext, type LayerKind } from './layers/layer.js';
export type { Difference } from './rollout/drift.js';
export type { Confirmation, LifecycleEvent, LifecyclePayload, ProcessAction } from './rollout/lifecycle.js';
export type {
  DeployEvent,
  DeployResult,
  DropletOutcome,
  Evidence,
  HistoryEntry,
  Probes,
  ReleaseInfo,
  Rotation,
  StatusRow,
  Step,
} from './rollout/model.js';
export type { RolloutPlan } from './rollout/plan.js';
