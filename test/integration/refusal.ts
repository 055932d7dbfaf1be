/** A refused deploy, and checks that it changed nothing. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import type { ErrorInfo } from '../../src/errors.js';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import type { DropletFaults } from '../../src/sandbox/droplets/faults.js';
import type { dividedFleet, Part } from './divided-fleet.js';
import type { CommandEnd } from './sandbox-fleet.js';

type Divided = ReturnType<typeof dividedFleet>;

export function refusing(divided: Divided) {
  /** Runs the task, and expects that rotation, ledger and containers of the environment are unchanged. */
  async function refused(environment: string, task: (part: Part) => Promise<CommandEnd>): Promise<CommandEnd> {
    const part = divided.part(environment);
    const before = part.state();
    const end = await task(part);
    expect(part.state()).toEqual(before);
    expect(part.rotationCalls()).toEqual([]);
    return end;
  }

  /** Deploys to droplets of which the second, which does not pull first, has a fault. */
  async function refusedBySecond(faults: Partial<DropletFaults>): Promise<{ end: CommandEnd; sick: SandboxDroplet }> {
    const [, sick] = divided.part('sick').droplets;
    if (sick === undefined) throw new Error('there is no second droplet');
    await sick.setFaults(faults);
    try {
      return { end: await refused('sick', (part) => part.deploy('v2')), sick };
    } finally {
      await sick.clearFaults();
    }
  }

  return { refused, refusedBySecond };
}

interface Expected {
  code: string;
  message: string | RegExp;
  hint: string | RegExp;
  droplet?: string | undefined;
}

export function expectRefusal(end: CommandEnd, exitCode: number, { code, message, hint, droplet }: Expected): void {
  expect(end.code, end.stdout + end.stderr).toBe(exitCode);
  expect(end.result).toMatchObject({ outcome: 'failed', summary: 'Nothing was changed in rotation.' });
  const error: Partial<ErrorInfo> = end.result?.error ?? {};
  expect(error.code, error.message).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.hint).toMatch(hint);
  if (droplet !== undefined) expect(error.droplet).toBe(droplet);
}

export async function addEnvironments(divided: Divided, environments: Record<string, unknown>): Promise<void> {
  await edit(divided.fleet.folder, 'config/deploy.yml', (text) => {
    const settings = parse(text) as { environments: object };
    return stringify({ ...settings, environments: { ...settings.environments, ...environments } });
  });
  for (const name of Object.keys(environments)) {
    await writeFile(join(divided.fleet.folder, `config/.env.${name}`), '');
  }
}

export async function edit(folder: string, path: string, change: (text: string) => string): Promise<void> {
  await writeFile(join(folder, path), change(await readFile(join(folder, path), 'utf8')));
}
