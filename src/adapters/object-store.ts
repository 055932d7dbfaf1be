/** Object storage by the S3 protocol, such as DigitalOcean Spaces. Requests are signed by aws4fetch. */
import { createHash } from 'node:crypto';
import type { BundleSettings } from '../config/settings.js';
import { inWords } from '../durations.js';
import { DeployError } from '../errors.js';
import type { Clock, ObjectStore } from '../ports.js';

const TRIES = 3;

/** The first wait before a request is repeated; the second one is twice as long. */
const WAIT_MS = 1_000;

const ANSWER_WITHIN_MS = 30_000;

const UPLOAD_WITHIN_MS = 5 * 60_000;

/** Of an answer that reports an error: more of it is not read. */
const MAX_ERROR_BYTES = 10_000;

type Method = 'GET' | 'HEAD' | 'PUT' | 'DELETE';

interface Sent {
  method: Method;
  key: string;
  body?: Buffer;
  /** Of what is read of the answer. */
  maxBytes?: number;
  signal?: AbortSignal | undefined;
}

interface Answer {
  status: number;
  size: number | undefined;
  body: Buffer;
}

/** Undefined without keys. */
export function createObjectStore(
  { endpoint, bucket, region, writer, reader }: Omit<BundleSettings, 'place' | 'prefix' | 'secrets'>,
  clock: Clock,
): ObjectStore | undefined {
  const keys = writer ?? reader;
  if (keys === undefined) return undefined;
  const address = `${endpoint}/${bucket}`;

  async function once({ method, key, body, maxBytes = MAX_ERROR_BYTES, signal }: Sent): Promise<Answer> {
    const { AwsV4Signer } = await import('aws4fetch');
    const hash = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const signed = await new AwsV4Signer({
      method,
      url: `${address}/${key}`,
      // The pointer is written again and again: no cache may keep an old one.
      headers: { 'x-amz-content-sha256': hash, ...(body && { 'cache-control': 'no-store' }) },
      accessKeyId: keys?.accessKey ?? '',
      secretAccessKey: keys?.secretKey.reveal() ?? '',
      service: 's3',
      region,
      datetime: new Date(clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    }).sign();
    const within = AbortSignal.timeout(body === undefined ? ANSWER_WITHIN_MS : UPLOAD_WITHIN_MS);
    const response = await fetch(signed.url, {
      method,
      headers: signed.headers,
      ...(body && { body: new Uint8Array(body) }),
      redirect: 'error',
      signal: signal === undefined ? within : AbortSignal.any([signal, within]),
    });
    const length = response.headers.get('content-length');
    const size = length === null ? undefined : Number(length);
    const most = response.ok ? maxBytes : MAX_ERROR_BYTES;
    return { status: response.status, size, body: await readAtMost(response, most, response.ok) };
  }

  async function request(sent: Sent): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      const isLast = tries === TRIES || sent.signal?.aborted;
      try {
        const answer = await once(sent);
        if (answer.status < 500 && answer.status !== 429) return answer;
        if (isLast) throw failed(sent, `HTTP ${answer.status}${codeIn(answer)}`);
      } catch (error) {
        if (error instanceof DeployError) throw error;
        if (isLast || sent.signal?.aborted) throw failed(sent, reasonOf(error, sent));
      }
      await clock.sleep(WAIT_MS * tries, sent.signal);
    }
  }

  function failed({ method, key }: Sent, reason: string, hint?: string): DeployError {
    const what = { GET: 'read', HEAD: 'read', PUT: 'written', DELETE: 'removed' }[method];
    return new DeployError('storage-failed', `${address}/${key} cannot be ${what}: ${reason}.`, {
      hint: hint ?? `Does ${endpoint} answer from here? Check bundle: in the configuration.`,
    });
  }

  async function must(sent: Sent): Promise<Answer | undefined> {
    const answer = await request(sent);
    const { status } = answer;
    if (status >= 200 && status < 300) return answer;
    const code = codeIn(answer);
    if (status === 404 && sent.method !== 'PUT' && code !== ' NoSuchBucket') return undefined;
    const isRefused = status === 401 || status === 403;
    const hint = isRefused
      ? 'Check the access key and its secret, that it may do this in the bucket, and the clock of this machine.'
      : 'Check bundle.endpoint, bundle.bucket and bundle.region.';
    throw failed(sent, `HTTP ${status}${code}`, hint);
  }

  return {
    address,
    async get(key, maxBytes) {
      return (await must({ method: 'GET', key, maxBytes }))?.body;
    },
    async size(key) {
      const answer = await must({ method: 'HEAD', key });
      return answer && (answer.size ?? 0);
    },
    async put(key, body, signal) {
      await must({ method: 'PUT', key, body, signal });
    },
    async remove(key) {
      await must({ method: 'DELETE', key });
    },
  };
}

class TooLong extends Error {}

/** @param isWanted more is an error; or else the rest is not read */
async function readAtMost(response: Response, maxBytes: number, isWanted: boolean): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) {
      if (isWanted) throw new TooLong(`it has more than ${maxBytes} bytes`);
      break;
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** " SignatureDoesNotMatch", from the XML of an error; only its code, which consists of letters. */
function codeIn({ body }: Answer): string {
  const [, code] = /<Code>([A-Za-z]{1,60})<\/Code>/.exec(body.toString('utf8')) ?? [];
  return code === undefined ? '' : ` ${code}`;
}

function reasonOf(error: unknown, { body, signal }: Sent): string {
  if (signal?.aborted) return 'interrupted';
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') {
    return `no answer within ${inWords(body === undefined ? ANSWER_WITHIN_MS : UPLOAD_WITHIN_MS)}`;
  }
  // fetch says only that it failed; its cause says why.
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && cause.message ? cause.message : error.message;
}
