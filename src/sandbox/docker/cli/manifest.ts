import { DockerFailure, NotImplemented } from '../failure.js';
import { parseReference } from '../reference.js';
import type { Command } from './call.js';
import { readFlags } from './flags.js';
import { credentialsFor } from './login.js';

const PREFIX = 'application/vnd.docker';

/** `docker manifest inspect --verbose [--insecure] IMAGE`. The client asks the registry itself, without the daemon. */
export const manifest: Command = (engine, call, args, output) => {
  const flags = readFlags('docker manifest', args, { switches: ['-v|--verbose', '--insecure'] });
  const [verb, name = '', ...more] = flags.words;
  if (verb !== 'inspect' || !flags.has('--verbose') || more.length > 0) {
    throw new NotImplemented(`docker manifest ${args.join(' ')}`);
  }
  const reference = parseReference(name);
  if (engine.faults.pull !== 'ok') throw new DockerFailure(`no such manifest: ${name}`);
  const { digest, id, layers } = engine.registry.fetch(reference, credentialsFor(call)(reference.domain));
  const shown = {
    Ref: name,
    Descriptor: {
      mediaType: `${PREFIX}.distribution.manifest.v2+json`,
      digest,
      size: 500,
      platform: { architecture: process.arch === 'x64' ? 'amd64' : process.arch, os: 'linux' },
    },
    Raw: '',
    SchemaV2Manifest: {
      schemaVersion: 2,
      mediaType: `${PREFIX}.distribution.manifest.v2+json`,
      config: { mediaType: `${PREFIX}.container.image.v1+json`, size: 500, digest: id },
      layers: layers.map(({ digest: layer, size }) => ({
        mediaType: `${PREFIX}.image.rootfs.diff.tar.gzip`,
        size,
        digest: layer,
      })),
    },
  };
  output.out(JSON.stringify(shown, undefined, '\t'));
};
