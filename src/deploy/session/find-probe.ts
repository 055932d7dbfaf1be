/** What a rollout probes: the address of the settings, or else the balancer's own, if it answers from here. */
import type { ProbeSettings, Settings } from '../../config/settings.js';
import type { Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { isExpected, type Probe } from './availability.js';

/** How long the balancer may take to answer from here, in ms. */
const REACH_WITHIN_MS = 2_000;

const USUAL: ProbeSettings = { intervalMs: 1_000, timeoutMs: 5_000, expect: [{ from: 200, to: 399 }] };

const INSTEAD = 'Name an address of your site as rollout.probe.url, or set `probe: false`.';

export interface FoundProbe {
  probe?: Probe;
  /** For the user, where the address is not one that the settings name. */
  message?: string;
}

/** Never throws. */
export async function findProbe(
  { web }: Pick<DeployPorts, 'web'>,
  { rollout }: Pick<Settings, 'rollout'>,
  target: Partial<Pick<Target, 'publicUrl' | 'description'>>,
): Promise<FoundProbe> {
  if (rollout.probe === false) return {};
  const probe = rollout.probe ?? USUAL;
  if (probe.url !== undefined) return { probe: { ...probe, url: probe.url } };
  const { publicUrl: url, description } = target;
  if (url === undefined) {
    if (rollout.probe === undefined || description === undefined) return {};
    return { message: `Nothing is probed, because ${description} has no address that takes plain HTTP. ${INSTEAD}` };
  }
  const { status, detail } = await web.get(url, Math.min(REACH_WITHIN_MS, probe.timeoutMs));
  if (isExpected(status, probe.expect)) return { probe: { ...probe, url }, message: `Probing the balancer at ${url}.` };
  return { message: `The balancer is not probed, because ${url} does not answer from here (${detail}). ${INSTEAD}` };
}
