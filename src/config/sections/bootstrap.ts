import { join, resolve } from 'node:path';
import { z } from 'zod';
import { homeOf } from '../home.js';
import { defineSection } from '../section.js';
import type { BootstrapSettings } from '../settings.js';
import { isPublicKey, isPublicKeyLine } from '../ssh-key.js';
import { anyText, bool, duration, map, text } from '../values.js';

const DEFAULTS = { docker: 'distribution', waitMs: 600_000 } as const;

/** A range of CIDR, or one address: what iptables takes. */
const RANGE =
  /^(?:(?:\d{1,3}\.){3}\d{1,3}(?:\/(?:[12]?\d|3[0-2]))?|[0-9a-f:]*:[0-9a-f:.]*(?:\/(?:\d|[1-9]\d|1[01]\d|12[0-8]))?)$/i;
const RANGES = 'must be a list of addresses or ranges, such as 10.0.0.0/8';
const PORTS = 'must be a list of port numbers';
const FIREWALL = 'must be false, or a map with from and open';
const KEYS = 'must be a list of public keys, such as ssh-ed25519 AAAA… ann@laptop, or of paths';
/** A key that is cut off, or a private one, is no path. */
function isKeyOrPath(entry: string): boolean {
  return isPublicKeyLine(entry) || !(isPublicKey(entry) || /\p{Cc}|PRIVATE KEY|^(ssh|ecdsa|sk)-\S* /u.test(entry));
}

const section = map({
  authorized_keys: z
    .array(anyText(KEYS).refine(isKeyOrPath, { error: KEYS }), { error: KEYS })
    .min(1, { error: 'must name at least one key' })
    .meta({
      description:
        "Public keys of the user that deploys (`ssh.user`), or paths of files with public keys. By default those in root's authorized_keys.",
      examples: [['~/.ssh/id_ed25519.pub']],
    }),
  docker_group: bool().meta({
    description:
      'Whether that user is put into the group `docker`. Its members can do what root can; without it you have to give the user access to Docker yourself.',
    default: true,
    examples: [true],
  }),
  docker: z
    .union([z.literal(false), z.enum(['distribution', 'docker'])], { error: 'must be distribution, docker or false' })
    .meta({
      description:
        "Where Docker Engine and the compose plugin come from if they are missing: the distribution's packages, or Docker's repository (Debian before 13 has no compose plugin of its own). `false`: neither they nor Docker's settings are touched.",
      default: DEFAULTS.docker,
      examples: ['docker'],
    }),
  firewall: z
    .union(
      [
        z.literal(false),
        map(
          {
            from: z.array(text(RANGES, RANGE), { error: RANGES }),
            open: z.array(z.int({ error: PORTS }).min(1, { error: PORTS }).max(65_535, { error: PORTS }), {
              error: PORTS,
            }),
          },
          FIREWALL,
        ),
      ],
      { error: FIREWALL },
    )
    .meta({
      description:
        "Besides SSH, `from` reaches everything (by default the droplet's VPC, where the balancer is) and `open` are ports that everybody reaches. A single droplet without a balancer opens all ports that its containers publish, unless `open` is given. The firewall also holds for ports that Docker publishes. `false`: no firewall.",
      examples: [{ from: ['10.10.0.0/20'] }, { open: [80, 443] }, false],
    }),
  harden_ssh: bool().meta({
    description: 'Whether sshd is told to take no passwords.',
    default: true,
    examples: [true],
  }),
  unattended_upgrades: bool().meta({
    description: 'Whether security updates are installed every day.',
    default: true,
    examples: [true],
  }),
  swap: bool().meta({
    description: 'Whether droplets with less than 2 GiB of memory and no swap get a swap file.',
    default: true,
    examples: [true],
  }),
  wait: duration({
    description: "Longest wait for cloud-init, and for another program that holds apt's lock.",
    default: '10m',
    examples: ['10m'],
  }),
}).meta({ description: 'What the command `bootstrap` prepares on droplets. See [bootstrap.md](bootstrap.md).' });

export const bootstrap = defineSection({
  keys: { bootstrap: section },
  resolve(written, { root, env }): { bootstrap: BootstrapSettings } {
    const own = written.bootstrap ?? {};
    const { authorized_keys: entries, firewall = {} } = own;
    const absolute = (path: string) => (/^~(\/|$)/.test(path) ? join(homeOf(env), path.slice(1)) : resolve(root, path));
    return {
      bootstrap: {
        ...(entries !== undefined && {
          authorizedKeys: entries.map((entry) => (isPublicKeyLine(entry) ? { key: entry } : { path: absolute(entry) })),
        }),
        dockerGroup: own.docker_group ?? true,
        docker: own.docker ?? DEFAULTS.docker,
        firewall,
        hardenSsh: own.harden_ssh ?? true,
        unattendedUpgrades: own.unattended_upgrades ?? true,
        swap: own.swap ?? true,
        waitMs: own.wait ?? DEFAULTS.waitMs,
      },
    };
  },
});
