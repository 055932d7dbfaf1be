/** What compose accepts but is probably a mistake. Reported once per deploy, from one droplet's answer. */
import { type ReportingPorts, warn } from '../core/report.js';
import type { ComposeService } from './compose-config.js';

/** Names that one warning lists. */
const MOST_NAMES = 10;

/** As compose writes it: `time="…" level=warning msg="The \"TAG\" variable is not set. Defaulting to a blank string."` */
const UNSET = /The \\?"([A-Za-z_]\w{0,99})\\?" variable is not set/g;

/** Other warnings of compose, of each kind one line: `time="…" level=warning msg="…"`. */
const OTHER = /level=warning msg="((?:[^"\\\n]|\\.){1,500})"/g;
const MOST_OTHERS = 5;

/** @param stderr of `docker compose config` */
export function warnAboutCompose(ports: ReportingPorts, stderr: string, services: readonly ComposeService[]): void {
  const unset = [...new Set([...stderr.matchAll(UNSET)].map(([, name = '']) => name))];
  if (unset.length > 0) {
    const more = unset.length > MOST_NAMES ? ` and ${unset.length - MOST_NAMES} more` : '';
    const names = unset.slice(0, MOST_NAMES).join(', ') + more;
    warn(ports, `The compose files use variables that no env file sets, so they are empty: ${names}.`);
  }
  for (const message of otherWarnings(stderr)) warn(ports, `Compose warns: ${message}`);
  if (services.length > 0 && services.every(({ checked }) => !checked)) {
    const seen = 'Unless the images have one, do-deploy can only see that the containers keep running.';
    warn(ports, `No service in the compose files has a healthcheck. ${seen}`);
  }
}

function otherWarnings(stderr: string): string[] {
  const messages = [...stderr.matchAll(OTHER)].map(([, message = '']) => message.replaceAll(/\\(.)/g, '$1'));
  const others = messages.filter((message) => !/variable is not set/.test(message));
  // The folder of the release on the droplet means nothing to the user.
  const short = others.map((message) => message.replaceAll(/\/\S*?\/releases\/[^/\s]+\/(?:\.view\/)?/g, ''));
  return [...new Set(short)].slice(0, MOST_OTHERS);
}
