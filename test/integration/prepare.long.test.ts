/** `prepare:` runs the project's script on each droplet, in the release's folder, before the images are pulled. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { containerIds, currentFile } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const NAMES = ['web-1', 'web-2'];

let fleet: SandboxFleet;
const script = async (...lines: string[]) => {
  await mkdir(join(fleet.folder, 'deploy'), { recursive: true });
  await writeFile(join(fleet.folder, 'deploy/prepare.sh'), `${lines.join('\n')}\n`);
};
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  for (const file of ['deploy.yml', 'deploy.first.yml']) {
    await appendFile(join(fleet.folder, 'config', file), '\nprepare: deploy/prepare.sh\n');
  }
  await script('echo "$APP $DEPLOY_ENV $IMAGE_TAG" >made-by-prepare');
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

it("runs with the release's variables; its files stay with the release; a failure changes nothing", async () => {
  for (const name of NAMES) {
    expect(readFileSync(currentFile(fleet, name, 'made-by-prepare'), 'utf8')).toBe('shop sandbox v1\n');
  }
  expect(await fleet.run(['status', 'sandbox', '--check']), 'that is no drift').toMatchObject({ code: 0 });
  const before = NAMES.map((name) => containerIds(fleet, name));

  await script('echo "the licence server does not answer" >&2', 'exit 7');
  const failed = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
  expect(failed).toMatchObject({
    code: 1,
    result: { outcome: 'failed', error: { code: 'prepare-failed', step: 'prepare' } },
  });
  expect(failed.result?.error?.message).toBe(
    'deploy/prepare.sh failed on web-1 with exit code 7: the licence server does not answer',
  );
  expect(failed.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
  expect(NAMES.map((name) => containerIds(fleet, name))).toEqual(before);
  for (const name of NAMES) {
    const releases = readdirSync(join(fleet.region.droplet(name).home, 'do-deploy/shop/releases'));
    expect(
      releases.filter((id) => !id.endsWith('-v1')),
      'what was staged is gone',
    ).toEqual([]);
  }

  // An executable script runs by its first line.
  await script('#!/bin/cat');
  await chmod(join(fleet.folder, 'deploy/prepare.sh'), 0o755);
  const load = fleet.load();
  expect(await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json'])).toMatchObject({ code: 0 });
  expectNoFailures(await load.stop());
  expect(expectWhole(fleet)).toBe('v2');
  expect(existsSync(currentFile(fleet, 'web-1', 'made-by-prepare'))).toBe(false);

  expect(await fleet.run(['rollback', 'sandbox', '--yes', '--json'])).toMatchObject({ code: 0 });
  expect(readFileSync(currentFile(fleet, 'web-1', 'made-by-prepare'), 'utf8')).toBe('shop sandbox v1\n');
});
