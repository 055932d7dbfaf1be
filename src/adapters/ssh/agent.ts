import { connect } from 'node:net';
import type { BaseAgent, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2';
import type { Clock } from '../../ports.js';
import { SECURITY_KEY } from './private-key.js';

type Ssh2 = typeof import('ssh2');

export interface AgentOptions {
  /** Public keys to offer first: a server hangs up after a few wrong ones (MaxAuthTries, 6). */
  preferred: readonly Buffer[];
  /** Offer no others (IdentitiesOnly). */
  only: boolean;
  /** Whether keys of the type may be offered (PubkeyAcceptedAlgorithms). */
  accepts(type: string): boolean;
  /** `ssh-rsa` signatures, made with SHA-1, are allowed. */
  allowSha1: boolean;
  onProblem(text: string): void;
}

/** Level of the error that refuses a signature with SHA-1; ssh2's own levels are in its README. */
export const SHA1_REFUSED = 'sha1-refused';

/**
 * ssh-agent's keys, in a good order. An agent that cannot be reached has no keys: ssh2 would emit 'error' for it, which
 * fails node-ssh's connect although there are other keys to try.
 */
export function agentKeys(ssh2: Ssh2, socketPath: string, options: AgentOptions): BaseAgent {
  const { preferred, only, onProblem, accepts } = options;
  const agent = ssh2.createAgent(socketPath);
  const rank = (key: ParsedKey) => preferred.findIndex((blob) => blob.equals(key.getPublicSSH()));

  class OrderedAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      agent.getIdentities((error, listed) => {
        if (error) onProblem(`ssh-agent at ${socketPath} does not answer`);
        const keys = (error ? [] : (listed ?? []))
          .flatMap((key) => parse(ssh2, key) ?? [])
          .filter(({ type }) => accepts(type));
        const first = keys.filter((key) => rank(key) >= 0).sort((a, b) => rank(a) - rank(b));
        done(undefined, only ? first : [...first, ...keys.filter((key) => rank(key) < 0)]);
      });
    }

    override sign(
      key: ParsedKey,
      data: Buffer,
      options_: SigningRequestOptions | SignCallback,
      done?: SignCallback,
    ): void {
      const callback = typeof options_ === 'function' ? options_ : done;
      const signing = typeof options_ === 'function' ? {} : options_;
      if (refusesSha1(key, signing, options)) {
        callback?.(sha1Refused());
        return;
      }
      agent.sign(key, data, signing, (error, signature) => {
        if (error) onProblem('ssh-agent refused to sign');
        callback?.(error, signature);
      });
    }
  }
  return new OrderedAgent();
}

/** An RSA key from a file, in the role of an agent: only there can the kind of signature be refused. */
export function agentOfKey(ssh2: Ssh2, key: ParsedKey, options: { allowSha1: boolean }): BaseAgent {
  class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      done(undefined, [key]);
    }

    override sign(
      _key: ParsedKey,
      data: Buffer,
      options_: SigningRequestOptions | SignCallback,
      done?: SignCallback,
    ): void {
      const callback = typeof options_ === 'function' ? options_ : done;
      const signing = typeof options_ === 'function' ? {} : options_;
      const signature = refusesSha1(key, signing, options) ? sha1Refused() : key.sign(data, signing.hash);
      if (signature instanceof Error) callback?.(signature);
      else callback?.(null, signature);
    }
  }
  return new OneKeyAgent();
}

function refusesSha1(key: ParsedKey, { hash }: SigningRequestOptions, { allowSha1 }: { allowSha1: boolean }): boolean {
  return key.type === 'ssh-rsa' && !allowSha1 && hash !== 'sha256' && hash !== 'sha512';
}

function sha1Refused(): Error {
  return Object.assign(new Error('The server accepts signatures of RSA keys with SHA-1 only'), { code: SHA1_REFUSED });
}

/** The agent lists blobs or parsed keys. */
function parse(ssh2: Ssh2, key: unknown): ParsedKey | undefined {
  const listed = key as { pubKey?: Buffer | string } | Buffer | string;
  const blob = typeof listed === 'object' && 'pubKey' in listed && listed.pubKey ? listed.pubKey : listed;
  const parsed = ssh2.utils.parseKey(blob as Buffer);
  return parsed instanceof Error ? undefined : parsed;
}

const LIST_TIMEOUT_MS = 2000;
const MAX_LIST_BYTES = 256 * 1024;

/**
 * What an agent holds that cannot be used, for people: ssh2 leaves out security keys and certificates in silence. Never
 * throws, and waits at most 2 s.
 */
export async function unusableAgentKeys(socketPath: string, clock: Clock): Promise<string[]> {
  const names = (await listKeyTypes(socketPath, clock)).map((type) =>
    type.includes('-cert-v') ? 'certificate' : SECURITY_KEY.test(type) ? 'security key (sk-…)' : '',
  );
  return [...new Set(names.filter(Boolean))].map((name) => `a ${name} of ssh-agent is not supported`);
}

/** draft-ietf-sshm-ssh-agent: SSH_AGENTC_REQUEST_IDENTITIES (11) and its answer (12). */
async function listKeyTypes(socketPath: string, clock: Clock): Promise<string[]> {
  const socket = connect(socketPath);
  const late = new AbortController();
  let answer = Buffer.alloc(0);
  const done = new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('close', () => resolve());
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length > MAX_LIST_BYTES || (answer.length >= 4 && answer.length >= 4 + answer.readUInt32BE(0)))
        resolve();
    });
    socket.write(Buffer.from([0, 0, 0, 1, 11]));
  });
  await Promise.race([done, clock.sleep(LIST_TIMEOUT_MS, late.signal)]);
  late.abort();
  socket.destroy();
  return answer[4] === 12 ? readKeyTypes(answer.subarray(9)) : [];
}

/** Of each key: the blob, which begins with the name of its type, and a comment. */
function readKeyTypes(keys: Buffer): string[] {
  const types: string[] = [];
  for (let at = 0; at + 8 <= keys.length; ) {
    const blob = keys.subarray(at + 4, at + 4 + keys.readUInt32BE(at));
    if (blob.length >= 4) types.push(blob.toString('latin1', 4, 4 + Math.min(100, blob.readUInt32BE(0))));
    at += 4 + blob.length;
    if (at + 4 <= keys.length) at += 4 + keys.readUInt32BE(at);
  }
  return types;
}
