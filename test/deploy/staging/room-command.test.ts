import { describe, expect, it } from 'vitest';
import type { ReleaseDraft } from '../../../src/deploy/release/draft.js';
import { readDigests, readRoom, roomCommand } from '../../../src/deploy/staging/room-command.js';

const draft = { app: 'shop', id: 'r1', environment: 'production', imageTag: 'v1', composeFiles: [], envFiles: [] };
const commandFor = (images: string[]) => roomCommand(draft as unknown as ReleaseDraft, images, undefined);

const MARK = '0123456789abcdef0123456789abcdef';
const GIGABYTE = 1024 ** 3;
const hex = (digit: string) => digit.repeat(64);
const layer = (digit: string, size: unknown) => ({ digest: `sha256:${hex(digit)}`, size });

/** As `docker manifest inspect --verbose` shows one image. */
const image = (layers: unknown, platform = 'linux/amd64', kind = 'SchemaV2Manifest') => {
  const [os, architecture] = platform.split('/');
  return { Ref: 'shop', Descriptor: { platform: { os, architecture } }, [kind]: { schemaVersion: 2, layers } };
};

interface Droplet {
  manifests: unknown[];
  here?: string[];
  machine?: string;
  disks?: string[];
}

const DISK = `/dev/vda1 50000000 10000000 ${2 * 1024 * 1024} 20% /var/lib/docker`;

function answer({ manifests, here = [], machine = 'x86_64', disks = [DISK] }: Droplet): string {
  const lines = manifests.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
  const section = (name: string, text: string) => `\n${MARK} ${name}\n${text}\n`;
  return `${MARK}\n${section('machine', machine)}${section('found', [...disks, ...here].join('\n'))}${section('manifests', ['manifests:', ...lines].join('\n'))}`;
}

describe('the room for a pull', () => {
  it('is compared with the layers that are missing, each counted once', () => {
    const manifests = [image([layer('a', 500), layer('b', 30)]), image([layer('b', 30), layer('c', 7)])];
    expect(readRoom(answer({ manifests }))).toEqual({ freeBytes: 2 * GIGABYTE, missingBytes: 537 });
    expect(readRoom(answer({ manifests, here: [hex('a'), hex('c')] }))).toMatchObject({ missingBytes: 30 });
    expect(readRoom(answer({ manifests, here: [hex('a'), hex('b'), hex('c')] }))).toMatchObject({ missingBytes: 0 });
  });

  it('counts the entry of the droplet’s platform in a list', () => {
    const list = [
      image([layer('a', 1)], 'linux/amd64', 'OCIManifest'),
      image([layer('b', 20)], 'linux/arm64', 'OCIManifest'),
      image([layer('d', 500)], 'windows/amd64', 'OCIManifest'),
      image([layer('c', 300)], 'unknown/unknown', 'OCIManifest'),
    ];
    expect(readRoom(answer({ manifests: [list] }))).toMatchObject({ missingBytes: 1 });
    expect(readRoom(answer({ manifests: [list], machine: 'aarch64' }))).toMatchObject({ missingBytes: 20 });
    expect(readRoom(answer({ manifests: [list], machine: 'riscv64' })), 'not in the list').toBeUndefined();
    expect(readRoom(answer({ manifests: [list], machine: '' }))).toBeUndefined();
  });

  it('keeps the images apart when the registry does not show the first one', () => {
    const digest = `sha256:${hex('d')}`;
    const known = { Descriptor: { digest, platform: { os: 'linux', architecture: 'amd64' } } };
    const images = ['ghcr.io/acme/gone:v1', 'ghcr.io/acme/shop:v1'];
    expect([...readDigests(answer({ manifests: ['', known] }), images)]).toEqual([['ghcr.io/acme/shop:v1', digest]]);
  });

  it('counts the smallest of several variants, and an image for another processor', () => {
    const list = [image([layer('a', 90)]), image([layer('b', 20)])];
    expect(readRoom(answer({ manifests: [list] }))).toMatchObject({ missingBytes: 20 });
    expect(readRoom(answer({ manifests: [image([layer('a', 7)], 'linux/arm64')] }))).toMatchObject({ missingBytes: 7 });
  });

  it('counts an image whose sizes are unknown as nothing', () => {
    const known = image([layer('a', 5)]);
    for (const unknown of [
      '',
      'no such manifest',
      '{"Descriptor":{}}',
      JSON.stringify(known).slice(0, -9),
      'null',
      '[]',
    ]) {
      expect(readRoom(answer({ manifests: [unknown, known] })), unknown).toMatchObject({ missingBytes: 5 });
      expect(readRoom(answer({ manifests: [unknown] })), unknown).toBeUndefined();
    }
  });

  it.each([-1, 0.5, 1e300, 1e12 + 1, '5', null, [5], Number.MAX_SAFE_INTEGER])(
    'does not believe a layer of %j bytes',
    (size) => {
      expect(readRoom(answer({ manifests: [image([layer('a', size)])] }))).toBeUndefined();
    },
  );

  it('does not believe a number that JSON cannot hold, a wrong digest, or more layers than an image has', () => {
    const text = JSON.stringify(image([layer('a', 5)]));
    for (const number of ['1e999', 'NaN', '-0.1', '99999999999999999999']) {
      expect(readRoom(answer({ manifests: [text.replace('"size":5', `"size":${number}`)] })), number).toBeUndefined();
    }
    expect(readRoom(answer({ manifests: [text.replaceAll('sha256:a', 'sha256:/')] }))).toBeUndefined();
    const many = Array.from({ length: 501 }, () => layer('a', 1));
    expect(readRoom(answer({ manifests: [image(many)] }))).toBeUndefined();
  });

  it('takes the smaller of two sizes of a layer: sizes come from registries', () => {
    const manifests = [image([layer('a', 9e11)]), image([layer('a', 5)])];
    expect(readRoom(answer({ manifests }))).toMatchObject({ missingBytes: 5 });
  });

  it('is the larger of two disks, and unknown without a line of df', () => {
    const manifests = [image([layer('a', 5)])];
    const other = '/dev/sdb 50000000 10000000 1024 20% /var/lib/containerd';
    expect(readRoom(answer({ manifests, disks: [other, DISK] }))).toMatchObject({ freeBytes: 2 * GIGABYTE });
    for (const disk of [
      '',
      'df: no such file',
      DISK.replace('2097152', '-5'),
      DISK.replace('2097152', '9'.repeat(13)),
    ]) {
      expect(readRoom(answer({ manifests, disks: [disk] })), disk).toBeUndefined();
    }
  });

  it('is unknown without an answer, and without a mark that nobody can guess', () => {
    const whole = answer({ manifests: [image([layer('a', 5)])] });
    for (const text of ['', whole.slice(33), whole.replaceAll(MARK, 'mark'), 'Welcome!\n']) {
      expect(readRoom(text)).toBeUndefined();
    }
  });
});

describe('the command that reads it', () => {
  it('does not ask Docker Hub, which counts manifests as pulls', () => {
    for (const name of ['nginx', 'nginx:1.27', 'acme/shop:v1', 'docker.io/acme/shop', 'index.docker.io/acme/shop']) {
      expect(commandFor([name]), name).toBeUndefined();
    }
    expect(commandFor([`sha256:${hex('a')}`]), 'an image that was built').toBeUndefined();
    const asked = ['ghcr.io/acme/shop:v1', 'localhost/shop', 'registry:5000/shop'];
    expect(commandFor(['nginx', ...asked])?.args).toMatchObject({ images: asked });
  });

  it('asks for a dozen images at most, for 20 seconds, and its answer has the usual bound', () => {
    const names = Array.from({ length: 50 }, (_, index) => `ghcr.io/acme/shop-${index}`);
    expect(commandFor(names)?.args).toMatchObject({ images: names.slice(0, 12) });
    expect(commandFor(names)?.timeoutMs).toBe(20_000);
    expect(commandFor(names)).not.toHaveProperty('maxBytes');
  });
});
