/** An object storage that speaks as much of S3 as do-deploy needs. Signatures are verified by AWS's own implementation. */
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignatureV4 } from '@smithy/signature-v4';

export interface StorageUser {
  accessKey: string;
  secretKey: string;
  /** Default: it may write, too. */
  readOnly?: boolean;
}

export interface StorageOptions {
  bucket: string;
  users: readonly StorageUser[];
  region?: string;
  /** Default: 127.0.0.1, and any free port. */
  host?: string;
}

/** In ms: how far the clock of a request may be off, as for AWS. */
const SKEW_MS = 15 * 60_000;

export class ObjectStorage {
  readonly url: string;
  /** By key. */
  readonly objects = new Map<string, Buffer>();
  /** `PUT a/b 200`, in the order in which they were answered. */
  readonly log: string[] = [];
  /** The status that a request gets instead of being performed. */
  fault: (method: string, key: string) => number | undefined = () => undefined;
  readonly #options: StorageOptions;
  readonly #close: () => Promise<void>;

  private constructor(options: StorageOptions, url: string, close: () => Promise<void>) {
    this.#options = options;
    this.url = url;
    this.#close = close;
  }

  static async start(options: StorageOptions): Promise<ObjectStorage> {
    let storage: ObjectStorage | undefined;
    const server = createServer(async (request, response) => {
      const body = await readAll(request);
      const { status, code, content } = await (storage as ObjectStorage).#answer(request, body);
      storage?.log.push(`${request.method} ${storage.#keyOf(request)} ${status}`);
      const error = `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;
      const text = content ?? (code === undefined ? '' : error);
      response.writeHead(status, { 'content-length': text.length });
      response.end(request.method === 'HEAD' ? undefined : text);
    });
    const { host = '127.0.0.1' } = options;
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const { port } = server.address() as AddressInfo;
    storage = new ObjectStorage(options, `http://${host}:${port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return storage;
  }

  async stop(): Promise<void> {
    await this.#close();
  }

  #keyOf({ url = '' }: IncomingMessage): string {
    return decodeURIComponent(url.replace(/^\/[^/]*\/?/, ''));
  }

  async #answer(
    request: IncomingMessage,
    body: Buffer,
  ): Promise<{ status: number; code?: string; content?: Buffer | string }> {
    const { method = '', url = '' } = request;
    const key = this.#keyOf(request);
    const fault = this.fault(method, key);
    if (fault !== undefined) return { status: fault, code: 'Planted' };
    const user = await this.#userOf(request, body);
    if (typeof user === 'string') return { status: 403, code: user };
    if (!url.startsWith(`/${this.#options.bucket}/`)) return { status: 404, code: 'NoSuchBucket' };
    if (method !== 'GET' && method !== 'HEAD' && user.readOnly) return { status: 403, code: 'AccessDenied' };
    switch (method) {
      case 'GET':
      case 'HEAD': {
        const content = this.objects.get(key);
        return content === undefined ? { status: 404, code: 'NoSuchKey' } : { status: 200, content };
      }
      case 'PUT':
        this.objects.set(key, body);
        return { status: 200 };
      case 'DELETE':
        this.objects.delete(key);
        return { status: 204 };
      default:
        return { status: 405, code: 'MethodNotAllowed' };
    }
  }

  /** Who signed the request, or the code of the refusal. */
  async #userOf({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Promise<StorageUser | string> {
    const form =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=/;
    const [, accessKey, region, names = ''] = form.exec(headers.authorization ?? '') ?? [];
    const user = this.#options.users.find((one) => one.accessKey === accessKey);
    if (user === undefined) return 'InvalidAccessKeyId';
    const signed = names.split(';');
    const mustBeSigned = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
    if (mustBeSigned.some((name) => !signed.includes(name))) return 'AccessDenied';
    if (headers['x-amz-content-sha256'] !== createHash('sha256').update(body).digest('hex')) {
      return 'XAmzContentSHA256Mismatch';
    }
    const [, ...date] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers['x-amz-date'])) ?? [];
    const [year, month, day, hour, minute, second] = date.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const at = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
    if (!(Math.abs(at.getTime() - Date.now()) < SKEW_MS)) return 'RequestTimeTooSkewed';
    const signer = new SignatureV4({
      service: 's3',
      region: this.#options.region ?? 'us-east-1',
      credentials: { accessKeyId: user.accessKey, secretAccessKey: user.secretKey },
      sha256: Sha256,
      uriEscapePath: false,
      applyChecksum: false,
    });
    if (region !== (this.#options.region ?? 'us-east-1')) return 'AuthorizationHeaderMalformed';
    const again = await signer.sign(
      {
        method,
        protocol: 'http:',
        hostname: String(headers.host),
        path: url,
        query: {},
        headers: Object.fromEntries(signed.map((name) => [name, String(headers[name])])),
        body,
      },
      { signingDate: at, signableHeaders: new Set(signed) },
    );
    return again.headers.authorization?.replaceAll(', ', ',') === headers.authorization?.replaceAll(', ', ',')
      ? user
      : 'SignatureDoesNotMatch';
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Node's SHA-256 in the form that the signer takes. */
class Sha256 {
  readonly #hash: { update(data: string | Uint8Array): unknown; digest(): Buffer };

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data);
}
