/** An event of a rollout as environment variables, for the programs of a project. Pure. */
import type { LifecyclePayload } from './lifecycle.js';

export function variablesOf(payload: LifecyclePayload): Record<string, string> {
  const { event, command, app, environment, release, droplets, droplet, result, durationMs, url } = payload;
  return {
    DO_DEPLOY_EVENT: event,
    DO_DEPLOY_COMMAND: command,
    DO_DEPLOY_APP: app,
    DO_DEPLOY_ENVIRONMENT: environment,
    DO_DEPLOY_RELEASE: release.id,
    DO_DEPLOY_IMAGE_TAG: release.imageTag,
    DO_DEPLOY_COMMIT: release.commit ?? '',
    DO_DEPLOY_DROPLETS: droplets.join(' '),
    DO_DEPLOY_DROPLET: droplet ?? '',
    DO_DEPLOY_OUTCOME: result?.outcome ?? '',
    DO_DEPLOY_ERROR_CODE: result?.error?.code ?? '',
    DO_DEPLOY_ERROR: withoutZeros(result?.error?.message ?? ''),
    DO_DEPLOY_DURATION_MS: durationMs === undefined ? '' : String(durationMs),
    DO_DEPLOY_URL: url ?? '',
  };
}

/** A variable cannot hold a zero byte. */
function withoutZeros(text: string): string {
  return text.replaceAll('\0', '');
}
