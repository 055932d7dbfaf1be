/** Changes in the registry, like pushes from elsewhere. */
import { createHash } from 'node:crypto';
import { REGISTRY } from './region.js';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const SHOP = `http://${REGISTRY}/v2/shop`;

/** Points a tag of the shop to the image of another tag. */
export async function moveTag(tag: string, to: string): Promise<void> {
  await putManifest(tag, await (await get(`manifests/${to}`, MANIFEST)).text());
}

/** Pushes the image of another tag as `tag`, but with a configuration for another processor, such as arm64. */
export async function pushFor(architecture: string, tag: string, from: string): Promise<void> {
  const manifest = (await (await get(`manifests/${from}`, MANIFEST)).json()) as { config: object & { digest: string } };
  const config = (await (await get(`blobs/${manifest.config.digest}`)).json()) as object;
  const blob = Buffer.from(JSON.stringify({ ...config, architecture }));
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`;
  const started = await fetch(`${SHOP}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(started.headers.get('location') ?? '', SHOP);
  location.searchParams.set('digest', digest);
  const headers = { 'content-type': 'application/octet-stream' };
  const uploaded = await fetch(location, { method: 'PUT', headers, body: new Uint8Array(blob) });
  if (!uploaded.ok) throw new Error(`the registry answered ${uploaded.status} to an upload`);
  await putManifest(tag, JSON.stringify({ ...manifest, config: { ...manifest.config, digest, size: blob.length } }));
}

/** Pushes the image of another tag as `tag`, with a manifest that claims this size for its first layer. */
export async function pushClaiming(bytes: number, tag: string, from: string): Promise<void> {
  const manifest = (await (await get(`manifests/${from}`, MANIFEST)).json()) as { layers: object[] };
  const [first, ...others] = manifest.layers;
  await putManifest(tag, JSON.stringify({ ...manifest, layers: [{ ...first, size: bytes }, ...others] }));
}

async function get(path: string, accept = '*/*'): Promise<Response> {
  const answer = await fetch(`${SHOP}/${path}`, { headers: { accept } });
  if (!answer.ok) throw new Error(`the registry answered ${answer.status} to ${path}`);
  return answer;
}

async function putManifest(tag: string, body: string): Promise<void> {
  const answer = await fetch(`${SHOP}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': MANIFEST },
    body,
  });
  if (!answer.ok) throw new Error(`the registry answered ${answer.status} to the tag ${tag}`);
}
