import { REGISTRY } from './region.js';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** Makes a tag of the shop mean what another one means, as a push from elsewhere would. */
export async function moveTag(tag: string, to: string): Promise<void> {
  const url = (name: string) => `http://${REGISTRY}/v2/shop/manifests/${name}`;
  const manifest = await fetch(url(to), { headers: { accept: MANIFEST } });
  const moved = await fetch(url(tag), {
    method: 'PUT',
    headers: { 'content-type': MANIFEST },
    body: await manifest.text(),
  });
  if (!manifest.ok || !moved.ok) throw new Error(`the registry answered ${manifest.status} and ${moved.status}`);
}
