/** What somebody does on a droplet by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { SandboxFleet } from './sandbox-fleet.js';

/** Runs the script there, as the client's key may. Rejects unless it ends with 0. */
export function onDroplet({ region }: SandboxFleet, name: string, script: string): Promise<void> {
  const client = new ssh2.Client();
  return new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('ready', () =>
      client.exec(script, (error, channel) => {
        if (error) return reject(error);
        let said = '';
        for (const stream of [channel, channel.stderr]) stream.on('data', (chunk: Buffer) => (said += String(chunk)));
        channel.on('exit', (code: number) =>
          code === 0 ? resolve() : reject(new Error(`exit code ${code}: ${said}`)),
        );
      }),
    );
    const privateKey = readFileSync(region.clientKeyPath);
    client.connect({ host: '127.0.0.1', port: region.droplet(name).sshPort, username: 'root', privateKey });
  }).finally(() => client.end());
}

/** A file of the release that the droplet runs. */
export function currentFile({ region }: SandboxFleet, name: string, path: string): string {
  return join(region.droplet(name).home, 'do-deploy/shop/current', path);
}

/** Ids of the droplet's containers, oldest first. */
export function containerIds({ region }: SandboxFleet, name: string): string[] {
  return region
    .droplet(name)
    .engine.containers()
    .map(({ id }) => id);
}
