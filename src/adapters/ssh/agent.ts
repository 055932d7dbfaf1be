import type { BaseAgent, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2';

type Ssh2 = typeof import('ssh2');

export interface AgentOptions {
  /** Public keys to try first: a server hangs up after a few wrong ones (MaxAuthTries, 6). */
  preferred: readonly Buffer[];
  /** Try no others (IdentitiesOnly). */
  only: boolean;
  onProblem(text: string): void;
}

/**
 * ssh-agent's keys, in a good order. An agent that can't be reached has no keys: ssh2 would emit 'error' for it, which
 * fails node-ssh's connect although there are other keys to try.
 */
export function agentKeys(ssh2: Ssh2, socketPath: string, { preferred, only, onProblem }: AgentOptions): BaseAgent {
  const agent = ssh2.createAgent(socketPath);
  const rank = (key: ParsedKey) => preferred.findIndex((blob) => blob.equals(key.getPublicSSH()));

  class OrderedAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void): void {
      agent.getIdentities((error, listed) => {
        if (error) onProblem(`ssh-agent at ${socketPath} does not answer`);
        const keys = (error ? [] : (listed ?? [])).flatMap((key) => parse(ssh2, key) ?? []);
        const first = keys.filter((key) => rank(key) >= 0).sort((a, b) => rank(a) - rank(b));
        done(undefined, only ? first : [...first, ...keys.filter((key) => rank(key) < 0)]);
      });
    }

    override sign(
      key: ParsedKey,
      data: Buffer,
      options: SigningRequestOptions | SignCallback,
      done?: SignCallback,
    ): void {
      const callback = typeof options === 'function' ? options : done;
      agent.sign(key, data, typeof options === 'function' ? {} : options, (error, signature) => {
        if (error) onProblem('ssh-agent refused to sign');
        callback?.(error, signature);
      });
    }
  }
  return new OrderedAgent();
}

/** The agent lists blobs or parsed keys, certificates among them, which ssh2 can't use. */
function parse(ssh2: Ssh2, key: unknown): ParsedKey | undefined {
  const listed = key as { pubKey?: Buffer | string } | Buffer | string;
  const blob = typeof listed === 'object' && 'pubKey' in listed && listed.pubKey ? listed.pubKey : listed;
  const parsed = ssh2.utils.parseKey(blob as Buffer);
  return parsed instanceof Error ? undefined : parsed;
}
