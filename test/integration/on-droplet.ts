/** Manual changes on a droplet. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import type { SandboxFleet } from './sandbox-fleet.js';

/** Runs a script on the droplet over SSH. Rejects unless it exits with 0. */
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

/** Path of a file of the droplet's current release. */
export function currentFile({ region }: SandboxFleet, name: string, path: string): string {
  return join(region.droplet(name).home, 'do-deploy/shop/current', path);
}

/** Ids of the droplet's containers, newest first. */
export function containerIds({ region }: SandboxFleet, name: string): string[] {
  return region
    .droplet(name)
    .engine.containers()
    .map(({ id }) => id);
}
