/** The keys to offer a server, in order: key files, the agent's, SSH_PRIVATE_KEY. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import type { SshSettings } from '../../config/settings.js';
import { ShellError } from '../../errors.js';
import { agentKeys, agentOfKey } from './agent.js';
import { readPrivateKey } from './private-key.js';
import type { Stop } from './route.js';

type Ssh2 = typeof import('ssh2');

export interface Identities {
  methods: AnyAuthMethod[];
  /** For people, in order: `key /home/ann/.ssh/id_ed25519`. */
  tried: string[];
  /** For people: what could not be used, and why. Grows while the agent is asked. */
  skipped: string[];
  /** The remedy for one of `skipped`. */
  hint?: string;
}

/** Throws ShellError auth when a key that was named cannot be used, or when there is no key at all. */
export async function loadIdentities(
  ssh2: Ssh2,
  stop: Stop,
  settings: SshSettings,
  droplet: string,
): Promise<Identities> {
  const { user, identity, algorithms } = stop;
  const { agentSocket } = identity;
  const { privateKey } = settings;
  const found: Identities = { methods: [], tried: [], skipped: [] };
  const preferred: Buffer[] = [];
  const allowSha1 = algorithms.signatures.includes('ssh-rsa');
  const accepts = (type: string) =>
    type === 'ssh-rsa' ? algorithms.signatures.some((name) => /rsa/.test(name)) : algorithms.signatures.includes(type);
  const fail = (message: string, hint: string, cause?: unknown) =>
    new ShellError('auth', 'not-applied', message, { source: 'user', droplet, hint, cause });
  const offer = (key: { text: string; parsed: ParsedKey }, name: string) => {
    if (!accepts(key.parsed.type)) {
      found.skipped.push(`${name}: PubkeyAcceptedAlgorithms excludes ${key.parsed.type}`);
      return;
    }
    // ssh2 takes Buffers here too, node-ssh insists on strings.
    if (key.parsed.type !== 'ssh-rsa') found.methods.push({ type: 'publickey', username: user, key: key.text });
    else found.methods.push({ type: 'agent', username: user, agent: agentOfKey(ssh2, key.parsed, { allowSha1 }) });
    found.tried.push(name);
  };

  for (const path of identity.files) {
    const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (!identity.required) return undefined;
      const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code ?? cause.message})`;
      throw fail(
        `The SSH key ${path} ${why}.`,
        "Correct ssh.key in do-deploy's configuration file, or leave it out to use the agent.",
      );
    });
    const key = text === undefined ? undefined : readPrivateKey(ssh2, text);
    const publicKey = key?.kind === 'key' || key?.kind === 'public' ? key.parsed : await readPublicKey(ssh2, path);
    if (publicKey) preferred.push(publicKey.getPublicSSH());
    if (existsSync(`${path}-cert.pub`)) found.skipped.push(`${path}-cert.pub: certificates are not supported`);
    if (key?.kind === 'key') offer(key, `key ${path}`);
    else if (key?.kind === 'locked') {
      found.skipped.push(`${path} is protected by a passphrase`);
      found.hint ??= `Load it into ssh-agent: ssh-add ${path}`;
      if (agentSocket === undefined && privateKey === undefined) {
        throw fail(
          `The SSH key ${path} is protected by a passphrase, and no ssh-agent is running to unlock it.`,
          `Start one and add the key: eval "$(ssh-agent)" && ssh-add ${path}`,
        );
      }
    } else if (key?.kind === 'unusable' || (key?.kind === 'public' && agentSocket === undefined)) {
      if (identity.required) throw fail(`${path} ${key.problem}.`, key.hint(path));
      found.skipped.push(`${path} ${key.problem}`);
      found.hint ??= key.hint(path);
    }
  }
  for (const path of identity.certificates) found.skipped.push(`${path}: certificates are not supported`);

  if (agentSocket !== undefined) {
    const only = identity.only && preferred.length > 0;
    const onProblem = (text: string) => void found.skipped.push(text);
    const agent = agentKeys(ssh2, agentSocket, { preferred, only, accepts, allowSha1, onProblem });
    found.methods.push({ type: 'agent', username: user, agent });
    found.tried.push(`agent ${agentSocket}`);
  }

  if (privateKey !== undefined) {
    const key = readPrivateKey(ssh2, privateKey.reveal());
    if (key.kind === 'locked') {
      throw fail(
        'The key in SSH_PRIVATE_KEY is protected by a passphrase.',
        'Use a key without a passphrase for this purpose alone: ssh-keygen -t ed25519 -N "" -f deploy_key',
      );
    }
    if (key.kind !== 'key') {
      const isNoKey = key.problem === 'is not an SSH private key';
      throw fail(
        isNoKey ? 'SSH_PRIVATE_KEY does not hold an SSH private key.' : `The value of SSH_PRIVATE_KEY ${key.problem}.`,
        'Put the whole content of the private key file there, from its line -----BEGIN to its line -----END.',
      );
    }
    offer(key, 'key from SSH_PRIVATE_KEY');
  }

  if (found.methods.length > 0) return found;
  const skipped = found.skipped.length > 0 ? ` (${found.skipped.join('; ')})` : '';
  throw fail(
    `There is no SSH key to log in to ${stop.label} with${skipped}.`,
    found.hint ??
      `Set ssh.key in do-deploy's configuration file, start ssh-agent, or set SSH_PRIVATE_KEY; looked for: ${identity.files.join(', ')}.`,
  );
}

async function readPublicKey(ssh2: Ssh2, path: string): Promise<ParsedKey | undefined> {
  const text = await readFile(`${path}.pub`, 'utf8').catch(() => '');
  const parsed = ssh2.utils.parseKey(text);
  return parsed instanceof Error ? undefined : parsed;
}
