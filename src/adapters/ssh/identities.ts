/** The keys to show a server, in order: key files, the agent's, SSH_PRIVATE_KEY. */
import { readFile } from 'node:fs/promises';
import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import type { SshSettings } from '../../config/settings.js';
import { ShellError } from '../../errors.js';
import { agentKeys } from './agent.js';
import type { Stop } from './route.js';

type Ssh2 = typeof import('ssh2');

export interface Identities {
  methods: AnyAuthMethod[];
  /** For people, in order: `key /home/ann/.ssh/id_ed25519`. */
  tried: string[];
  /** For people, what could not be used and why. Grows while the agent is asked. */
  skipped: string[];
  /** A remedy that one of `skipped` calls for. */
  hint?: string;
}

/** Throws ShellError auth when a key that was asked for can't be used, or when there is no key at all. */
export async function loadIdentities(
  ssh2: Ssh2,
  stop: Stop,
  settings: SshSettings,
  droplet: string,
): Promise<Identities> {
  const { user, identity } = stop;
  const { agentSocket, privateKey } = settings;
  const found: Identities = { methods: [], tried: [], skipped: [] };
  const preferred: Buffer[] = [];
  const fail = (message: string, hint: string, cause?: unknown) =>
    new ShellError('auth', 'not-applied', message, {
      source: 'user',
      droplet,
      hint,
      cause,
    });

  for (const path of identity.files) {
    const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (!identity.required) return undefined;
      const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code ?? cause.message})`;
      throw fail(
        `The SSH key ${path} ${why}.`,
        'Correct ssh.key in config/deploy.yml, or leave it out to use the agent.',
      );
    });
    const key = text === undefined ? undefined : readKey(ssh2, text);
    const publicKey = key?.parsed ?? (await readPublicKey(ssh2, path));
    if (publicKey) preferred.push(publicKey.getPublicSSH());
    if (text === undefined || !key) continue;
    if (key.parsed?.isPrivateKey()) {
      // ssh2 takes Buffers here too, node-ssh insists on strings.
      found.methods.push({ type: 'publickey', username: user, key: key.text });
      found.tried.push(`key ${path}`);
    } else if (key.encrypted) {
      found.skipped.push(`${path} is protected by a passphrase`);
      found.hint ??= `Load it into ssh-agent: ssh-add ${path}`;
      if (agentSocket === undefined && privateKey === undefined) {
        throw fail(
          `The SSH key ${path} is protected by a passphrase, and no ssh-agent is running to unlock it.`,
          `Start one and add the key: eval "$(ssh-agent)" && ssh-add ${path}`,
        );
      }
    } else if (!key.parsed) {
      if (identity.required) throw fail(`${path} is not an SSH private key.`, UNREADABLE_HINT(path));
      found.skipped.push(`${path} is not an SSH private key`);
    }
  }

  if (agentSocket !== undefined) {
    const only = identity.only && preferred.length > 0;
    const agent = agentKeys(ssh2, agentSocket, { preferred, only, onProblem: (text) => found.skipped.push(text) });
    found.methods.push({ type: 'agent', username: user, agent });
    found.tried.push(`agent ${agentSocket}`);
  }

  if (privateKey !== undefined) {
    const key = readKey(ssh2, privateKey.reveal());
    if (key.encrypted) {
      throw fail(
        'The key in SSH_PRIVATE_KEY is protected by a passphrase.',
        'Use a key without one, for this purpose alone: ssh-keygen -t ed25519 -N "" -f deploy_key',
      );
    }
    if (!key.parsed?.isPrivateKey()) {
      throw fail(
        'SSH_PRIVATE_KEY does not hold an SSH private key.',
        'Put the whole content of the key file there, from its line -----BEGIN to its line -----END.',
      );
    }
    found.methods.push({ type: 'publickey', username: user, key: key.text });
    found.tried.push('key from SSH_PRIVATE_KEY');
  }

  if (found.methods.length > 0) return found;
  const skipped = found.skipped.length > 0 ? ` (${found.skipped.join('; ')})` : '';
  throw fail(
    `There is no SSH key to log in to ${stop.label} with${skipped}.`,
    `Set ssh.key in config/deploy.yml, start ssh-agent, or set SSH_PRIVATE_KEY; looked for: ${identity.files.join(', ')}.`,
  );
}

const UNREADABLE_HINT = (path: string) =>
  `Name the private key, in OpenSSH's format: ssh-keygen -p -f ${path} converts it.`;

/** Never keeps the parser's message: it could quote the key. */
function readKey(ssh2: Ssh2, written: string): { text: string; parsed?: ParsedKey; encrypted: boolean } {
  const text = restoreLineBreaks(written);
  const parsed = ssh2.utils.parseKey(text);
  if (!(parsed instanceof Error)) return { text, parsed, encrypted: false };
  return { text, encrypted: /no passphrase|ENCRYPTED PRIVATE KEY/i.test(`${parsed.message}${text.slice(0, 60)}`) };
}

/** CI systems and dotenv files turn the line breaks of a key into CRLF or a written `\n`. */
function restoreLineBreaks(text: string): string {
  const lines = text.includes('\n') ? text : text.replaceAll('\\n', '\n');
  return `${lines.replace(/\r\n?/g, '\n').trim()}\n`;
}

async function readPublicKey(ssh2: Ssh2, path: string): Promise<ParsedKey | undefined> {
  const text = await readFile(`${path}.pub`, 'utf8').catch(() => '');
  const parsed = ssh2.utils.parseKey(text);
  return parsed instanceof Error ? undefined : parsed;
}
