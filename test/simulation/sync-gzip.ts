/**
 * Compression on the spot, and back. Releases are packed and unpacked with zlib's thread pool, whose answer comes in real time; on a virtual
 * clock time would pass meanwhile, each time a different one. To be imported before anything that does.
 */
import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

type Callback = (error: Error | null, result: Buffer) => void;

const gzip = (buffer: zlib.InputType, options: zlib.ZlibOptions, callback: Callback): void =>
  callback(null, zlib.gzipSync(buffer, options));

const gunzip = (buffer: zlib.InputType, options: zlib.ZlibOptions, callback: Callback): void =>
  callback(null, zlib.gunzipSync(buffer, options));

Object.assign(zlib, { gzip, gunzip });
syncBuiltinESMExports();

// The first import of a module reads files; the next ones do not wait for anything.
await import('tar-stream');
