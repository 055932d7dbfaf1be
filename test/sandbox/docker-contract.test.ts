import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { exampleRegistry } from '../../src/sandbox/docker/images/example-registry.js';
import { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import { type DockerHost, dockerContract } from '../contract/docker-contract.js';
import { clientOf, KEY, run } from './droplet-lab.js';

const SHOP = 'docker.io/example/shop';

dockerContract('a sandbox droplet', async (): Promise<DockerHost> => {
  const folder = mkdtempSync(join(tmpdir(), 'docker-contract-'));
  const droplet = await SandboxDroplet.start({
    id: 1,
    name: 'web-1',
    privateAddress: '10.10.0.1',
    folder,
    authorizedKey: KEY.public,
    user: 'root',
    registry: exampleRegistry(),
  });
  const client = await clientOf(droplet);
  return {
    images: {
      web: `${SHOP}:v1`,
      webNext: `${SHOP}:v2`,
      sick: `${SHOP}:broken`,
      exits: `${SHOP}:exits`,
      oneShot: `${SHOP}:migrate`,
      absent: `${SHOP}:never-built`,
    },
    run: async (script) => {
      const { code, stdout, stderr } = await run(client, script);
      if (code === null) throw new Error(`no exit code: ${script}`);
      return { code, stdout, stderr };
    },
    dispose: async () => {
      client.end();
      await droplet.stop();
      rmSync(folder, { recursive: true, force: true });
      expect(droplet.unimplemented).toEqual([]);
    },
  };
});
