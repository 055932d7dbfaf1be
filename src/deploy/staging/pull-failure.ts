/** Errors for failed pulls. The hint depends on what Docker or the registry printed. */
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { configFile } from '../core/do-deploy.js';
import type { Member } from '../droplet/member.js';
import { buildFor } from './check-architecture.js';
import { freeSpace } from './free-space.js';
import { loginName } from './registry-login.js';

type Registry = Pick<Settings, 'registry' | 'config'>;

export function pullFailed(member: Member, reason: string, settings: Registry): DeployError {
  const droplet = member.host.name;
  if (/no space left/i.test(reason)) {
    return new DeployError('disk-full', `Docker's disk on ${droplet} filled up during the pull: ${reason}`, {
      droplet,
      hint: freeSpace(member),
    });
  }
  const hint = pullHint(reason, droplet, settings);
  return new DeployError('pull-failed', `The images cannot be pulled on ${droplet}: ${reason}`, {
    droplet,
    hint,
  });
}

const TOO_MANY = /toomanyrequests|too many requests|rate limit/i;

const UNREACHABLE =
  /\bdial (tcp|udp)\b|i\/o timeout|TLS handshake|no such host|server misbehaving|connection (refused|reset)|no route to host|network is unreachable|Client\.Timeout|deadline exceeded|x509:|proxyconnect|unexpected EOF/i;

const NO_ACCESS = /\bdenied\b|unauthorized|authentication required|no basic auth credentials|\b40[13]\b/i;

const OTHER_PLATFORM = /no matching manifest for (\S+)/;

const NOT_THERE = /manifest unknown|not found|name unknown/i;

/** Undefined for an unknown cause: a wrong hint costs more time than none. */
function pullHint(reason: string, droplet: string, settings: Registry): string | undefined {
  const { registry } = settings;
  const [, platform] = OTHER_PLATFORM.exec(reason) ?? [];
  if (platform !== undefined) return `The image has no variant for ${droplet}. ${buildFor(platform)}`;
  if (TOO_MANY.test(reason)) {
    return registry === undefined
      ? `The registry limits pulls without a login: wait, or log in: ${loginIn(settings)}.`
      : `The registry limits pulls by ${loginName(registry)}: wait, then deploy again.`;
  }
  if (UNREACHABLE.test(reason)) {
    return `${droplet} cannot reach ${hostIn(reason)}: check its DNS, firewall (outbound TCP 443) and Docker proxy.`;
  }
  if (NO_ACCESS.test(reason)) {
    if (registry?.digitalocean !== undefined)
      return `Check the image's name: ${registry.server}/${registry.digitalocean}/IMAGE:TAG, in the registry that registry.digitalocean in ${configFile(settings)} names.`;
    return registry === undefined
      ? `If the image is private, log in to its registry: ${loginIn(settings)}. Otherwise check the image's name.`
      : `Check the image's name, and that ${registry.username} may pull it from ${registry.server}: registry: in ${configFile(settings)} and the variables that it names.`;
  }
  if (NOT_THERE.test(reason) && /@sha256:/.test(reason)) {
    return 'The registry no longer has this digest, though a release is pinned to it: a clean-up, such as garbage collection, has removed what no tag names. Push the image again under its tag, then deploy that tag: its digest is recorded anew.';
  }
  return NOT_THERE.test(reason) ? "Check the image's name and tag, and that it was pushed." : undefined;
}

function loginIn(settings: Registry): string {
  const setting = '`registry: { username: $DOCKER_USERNAME, password: $DOCKER_PASSWORD }`';
  return `${setting} in ${configFile(settings)} (with \`server:\` unless it is Docker Hub), and set both variables`;
}

function hostIn(reason: string): string {
  const host = /https?:\/\/([^/\s"]+)/.exec(reason)?.[1] ?? /\blookup (\S+?):? /.exec(reason)?.[1];
  return host ?? 'the registry';
}
