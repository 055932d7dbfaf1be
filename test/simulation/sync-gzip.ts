/**
 * Compression on the spot. Releases are packed with zlib's thread pool, whose answer comes in real time; on a virtual
 * clock time would pass meanwhile, each time a different one. To be imported before anything that packs.
 */
import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

type Callback = (error: Error | null, result: Buffer) => void;

const gzip = (buffer: zlib.InputType, options: zlib.ZlibOptions, callback: Callback): void =>
  callback(null, zlib.gzipSync(buffer, options));

Object.assign(zlib, { gzip });
syncBuiltinESMExports();

// The first import of a module reads files; the next ones do not wait for anything.
await import('tar-stream');
