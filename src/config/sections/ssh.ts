import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { homeOf } from '../home.js';
import { type FileFault, readSmallFile } from '../read-file.js';
import { Secret } from '../secret.js';
import type { SectionContext } from '../section.js';
import { defineSection } from '../section.js';
import type { SshSettings } from '../settings.js';
import { isPublicKey, readPastedKey } from '../ssh-key.js';
import { anyText, map, text, wholeNumber } from '../values.js';
import { reportVariable } from '../variables.js';

const DEFAULTS = {
  user: 'root',
  port: 22,
  config: '~/.ssh/config',
  known_hosts: '~/.ssh/known_hosts',
  host_keys: 'accept-new',
  address: 'public',
} as const;

const section = map({
  user: text('must be a user name').meta({
    description: 'User on the droplets.',
    default: DEFAULTS.user,
    examples: ['root'],
  }),
  port: wholeNumber(1, 65_535, 'must be a port number', {
    description: 'SSH port of the droplets.',
    default: DEFAULTS.port,
    examples: [22],
  }),
  key: anyText('must be the path of a private key').meta({
    description:
      'Private key file. do-deploy tries, in this order: key files (IdentityFile of a section about the droplet, else this one, else IdentityFile of `Host *`, else `~/.ssh/id_ed25519`, `id_ecdsa`, `id_rsa`), the keys of the agent, the variable SSH_PRIVATE_KEY (for CI).',
    examples: ['~/.ssh/id_ed25519'],
  }),
  config: anyText('must be the path of an OpenSSH client configuration').meta({
    description:
      "OpenSSH client configuration, searched for the droplet's name, then for its address: HostName, Port, User, IdentityFile, IdentitiesOnly, ProxyJump, UserKnownHostsFile, HostKeyAlias. A section about the droplet overrides what is written here, which overrides `Host *`, which overrides these defaults.",
    default: DEFAULTS.config,
    examples: ['~/.ssh/config'],
  }),
  known_hosts: anyText('must be the path of a known_hosts file').meta({
    description: 'File of known host keys.',
    default: DEFAULTS.known_hosts,
    examples: ['~/.ssh/known_hosts'],
  }),
  host_keys: z.enum(['accept-new', 'strict'], { error: 'must be accept-new or strict' }).meta({
    description:
      'What to do with a host seen for the first time: `accept-new` remembers its key, `strict` refuses it. A changed key is always refused.',
    default: DEFAULTS.host_keys,
    examples: ['accept-new', 'strict'],
  }),
  address: z.enum(['public', 'private'], { error: 'must be public or private' }).meta({
    description: "Which of a droplet's addresses to connect to.",
    default: DEFAULTS.address,
    examples: ['public', 'private'],
  }),
}).meta({ description: 'How to reach the droplets. Relative paths start at the project, `~` is your home folder.' });

export const ssh = defineSection({
  keys: { ssh: section },
  resolve: (written, context) => ({ ssh: resolveSsh(written.ssh ?? {}, context) }),
});

/** Paths become absolute. Files that are named must exist; the usual ones may. */
function resolveSsh(written: z.output<typeof section>, context: SectionContext): SshSettings {
  const { root, env, problems, place, release } = context;
  const absolute = (path: string) => (/^~(\/|$)/.test(path) ? join(homeOf(env), path.slice(1)) : resolve(root, path));
  for (const name of ['key', 'config'] as const) {
    const path = written[name];
    const fault = path === undefined ? undefined : faultOfFile(absolute(path), path, name);
    if (fault) problems.add(place('ssh', name), `ssh.${name}: ${path} ${fault.message}`, fault.remedy);
  }
  if (written.key !== undefined) release.ownKeys.push(absolute(written.key));

  const configPath = absolute(written.config ?? DEFAULTS.config);
  const unwritten = [
    written.user === undefined ? (['user'] as const) : [],
    written.port === undefined ? (['port'] as const) : [],
    written.known_hosts === undefined ? (['knownHostsPath'] as const) : [],
  ].flat();
  return {
    user: written.user ?? DEFAULTS.user,
    port: written.port ?? DEFAULTS.port,
    unwritten: unwritten.length > 0 ? unwritten : undefined,
    keyPath: written.key === undefined ? undefined : absolute(written.key),
    privateKey: readPrivateKey(context),
    agentSocket: env.SSH_AUTH_SOCK || undefined,
    configPath: existsSync(configPath) ? configPath : undefined,
    knownHostsPath: absolute(written.known_hosts ?? DEFAULTS.known_hosts),
    hostKeys: written.host_keys ?? DEFAULTS.host_keys,
    address: written.address ?? DEFAULTS.address,
  };
}

function faultOfFile(file: string, path: string, key: 'key' | 'config'): FileFault | undefined {
  const content = readSmallFile(file) ?? { message: 'does not exist', remedy: 'correct the path' };
  if (!Buffer.isBuffer(content)) return content;
  if (key === 'config' || !isPublicKey(content.toString('latin1'))) return undefined;
  return { message: 'is a public key', remedy: `name the private one: ${path.replace(/\.pub$/, '')}` };
}

function readPrivateKey({ variables, problems, hide }: SectionContext): Secret | undefined {
  const value = variables.get('SSH_PRIVATE_KEY');
  if (!value) return undefined;
  const read = readPastedKey(value);
  if ('message' in read) {
    reportVariable(variables, problems, { name: 'SSH_PRIVATE_KEY', ...read });
  }
  // Both forms: tools show what they were given.
  hide(new Secret(value));
  const secret = new Secret('key' in read ? read.key : value);
  hide(secret);
  return secret;
}
