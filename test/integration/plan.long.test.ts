/** What `plan` says of a fleet in the sandbox, and that the API and the droplets are afterwards as they were before. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { RolloutPlan } from '../../src/rollout/plan.js';
import { buildImage } from '../../src/sandbox/docker/image.js';
import { shopImage } from '../../src/sandbox/docker/images/shop.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const SHOP = 'registry.example.com/acme/shop';
const LOGIN = { username: 'ann', password: '5ecre7pass' };
const MEGABYTE = 1024 * 1024;

let fleet: SandboxFleet;
const droplets = () => ['web-1', 'web-2', 'web-3'].map((name) => fleet.region.droplet(name));

function push(tag: string, own: number): void {
  const shop = shopImage(tag);
  const { layers } = buildImage({ content: tag, program: shop.program, layers: { base: 50 * MEGABYTE, [tag]: own } });
  fleet.region.registry.push(SHOP, tag, { ...shop, layers });
}

/** Every file of a droplet with its content, mode and time, and what its Docker has. */
function stateOf(): string[] {
  return droplets().flatMap(({ home, folder, engine }) => {
    const files = readdirSync(home, { recursive: true, encoding: 'utf8' }).sort();
    const shown = files.map((path) => {
      const { mode, mtimeMs, isFile } = { ...statSync(join(home, path)), isFile: statSync(join(home, path)).isFile() };
      const content = isFile
        ? createHash('sha256')
            .update(readFileSync(join(home, path)))
            .digest('hex')
        : '';
      return [path, mode, mtimeMs, content].join(' ');
    });
    const containers = engine.containers().map(({ id }) => id);
    return [...shown, ...readdirSync(join(folder, 'tmp')), ...containers];
  });
}

async function plan(...args: string[]): Promise<{ code: number | null; plan: RolloutPlan; text: string }> {
  const calls = fleet.region.apiLog.length;
  const before = stateOf();
  const json = await fleet.run(['plan', 'sandbox', ...args, '--json']);
  const text = await fleet.run(['plan', 'sandbox', ...args]);
  expect(new Set(fleet.region.apiLog.slice(calls).map(({ method }) => method))).toEqual(new Set(['GET']));
  expect(stateOf()).toEqual(before);
  expect(text.code).toBe(json.code);
  expect(json.stdout + text.stdout + text.stderr).not.toContain('5ecre7');
  expect(json.stderr + text.stderr).toBe('');
  return { code: json.code, plan: JSON.parse(json.stdout), text: text.stdout };
}

beforeAll(async () => {
  fleet = await SandboxFleet.start({ registryCredentials: LOGIN });
  const registry = { server: 'registry.example.com', username: '$DOCKER_USERNAME', password: '$DOCKER_PASSWORD' };
  for (const name of ['config/deploy.yml', 'config/deploy.first.yml']) {
    const file = join(fleet.folder, name);
    await writeFile(file, stringify({ ...parse(await readFile(file, 'utf8')), registry }));
  }
  await appendFile(
    join(fleet.folder, 'config/.env'),
    `DOCKER_USERNAME=${LOGIN.username}\nDOCKER_PASSWORD=${LOGIN.password}\n`,
  );
  await appendFile(join(fleet.folder, 'config/.env.common'), 'API_KEY=5ecre7-old-key\n');
  // Not by a variable of an env file: the values of all of these are masked.
  const compose = join(fleet.folder, 'compose/docker-compose.yml');
  const image = `image: ${SHOP}:\${IMAGE_TAG}`;
  await writeFile(compose, (await readFile(compose, 'utf8')).replace(/image: .*shop.*/, image));
  push('v1', MEGABYTE);
  push('v2', 42 * MEGABYTE);
  await fleet.deployFirst('v1');
});
afterAll(async () => {
  expect(droplets().flatMap(({ unimplemented }) => unimplemented)).toEqual([]);
  await fleet.stop();
});

// Each is about what the one before has left.
describe('plan', { shuffle: false }, () => {
  it('nothing to do: exit code 0', async () => {
    const { code, plan: planned, text } = await plan('v1');
    expect(code).toBe(0);
    expect(planned).toMatchObject({
      changes: false,
      batches: [],
      differences: [],
      findings: [{ kind: 'note', message: expect.stringContaining('only sets IMAGE_TAG') }],
    });
    expect(text).toMatch(/^Nothing to do\. This was only looked at: nothing was changed\.$/m);
  });

  it('another release: images with digests and sizes, files as a diff, names of variables, services, batches', async () => {
    const nginx = join(fleet.folder, 'config/nginx/nginx.conf');
    const old = await readFile(nginx, 'utf8');
    await writeFile(nginx, `# planned\n${old}`);
    const common = join(fleet.folder, 'config/.env.common');
    const variables = await readFile(common, 'utf8');
    await writeFile(common, `${variables.replace('5ecre7-old-key', '5ecre7-new-key')}NEW_ONE=5ecre7\n`);
    const { code, plan: planned, text } = await plan('v2');
    await writeFile(nginx, old);
    await writeFile(common, variables);

    expect(code).toBe(5);
    const [difference, ...others] = planned.differences;
    expect(others).toEqual([]);
    expect(difference?.droplets).toEqual(['web-1', 'web-2', 'web-3']);
    expect(difference?.images.find(({ service }) => service === 'app')).toEqual({
      service: 'app',
      reference: `${SHOP}:v2`,
      from: expect.stringMatching(/^registry\.example\.com\/acme\/shop@sha256:[0-9a-f]{64}$/),
      to: expect.stringMatching(/^registry\.example\.com\/acme\/shop@sha256:[0-9a-f]{64}$/),
    });
    expect(difference?.pullBytes).toBe(42 * MEGABYTE);
    expect(difference?.files).toMatchObject([
      { path: 'config/.env.common', variables: { added: ['NEW_ONE'], changed: ['API_KEY'], removed: [] } },
      { path: 'config/nginx/nginx.conf', diff: expect.stringMatching(/^@@ -1,3 \+1,4 @@\n\+# planned\n/) },
    ]);
    expect(difference?.services.map(({ service, action }) => [service, action])).toEqual([
      ['app', 'recreate'],
      ['nginx', 'recreate'],
    ]);
    expect(planned.batches.map(({ droplets: names, serving, floor }) => [names, serving, floor])).toEqual(
      ['web-1', 'web-2', 'web-3'].map((name) => [[name], 2, 2]),
    );
    expect(planned.estimate).toMatchObject({ runs: 1 });
    expect(text).toContain('+NEW_ONE ~API_KEY');
    expect(text).toMatch(/^ {2}pull {5}42 MB compressed$/m);
    expect(text).toMatch(/To do it: do-deploy sandbox v2$/m);

    // What it has foreseen comes true.
    const done = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    expect(done).toMatchObject({ code: 0 });
    const pinned = readFileSync(join(droplets()[0]?.home ?? '', 'do-deploy/shop/current/images.yml'), 'utf8');
    expect(pinned).toContain(difference?.images.find(({ service }) => service === 'app')?.to);
    const batches = done.events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets] : []));
    expect(batches).toEqual(planned.batches.map(({ droplets: names }) => names));
  });

  it('a rollback: the release before, whose images are there', async () => {
    const { code, plan: planned } = await plan('--rollback');
    expect(code).toBe(5);
    expect(planned).toMatchObject({
      command: 'rollback',
      release: { imageTag: 'v1' },
      next: 'do-deploy rollback sandbox',
    });
    const [difference] = planned.differences;
    const app = difference?.images.find(({ service }) => service === 'app');
    expect(app?.to).not.toBe(app?.from);
    expect(difference).not.toHaveProperty('pullBytes');
  });

  it('a tag that has moved: the same files, another digest', async () => {
    push('v3', 7 * MEGABYTE);
    fleet.region.registry.moveTag(SHOP, 'v2', 'v3');
    const { code, plan: planned } = await plan('v2');
    expect(code).toBe(5);
    expect(planned.differences).toMatchObject([{ files: [], pullBytes: 7 * MEGABYTE }]);
  });

  it('what would be refused: findings, and the exit code stays', async () => {
    const [, , third] = droplets();
    await third?.setFaults({ ssh: 'refuse' });
    const file = join(fleet.folder, 'config/deploy.yml');
    const written = await readFile(file, 'utf8');
    const always = [{ from: '2020-01-01 00:00', to: '2090-01-01 00:00', timezone: 'UTC' }];
    await writeFile(file, stringify({ ...parse(written), freeze: always, rollout: { min_in_rotation: 3 } }));
    push('huge', 900_000 * MEGABYTE);
    const { code, plan: planned, text } = await plan('huge', '--set', 'rollout.batch=1');
    await writeFile(file, written);
    await third?.clearFaults();
    expect(code).toBe(5);
    const refused = planned.findings.flatMap((one) => (one.kind === 'refused' ? one.code : []));
    expect(refused).toEqual(expect.arrayContaining(['frozen', 'floor-impossible', 'disk-full', 'ssh-unreachable']));
    expect(planned.findings).toContainEqual(
      expect.objectContaining({
        code: 'frozen',
        hint: 'Wait until then, or run it all the same: do-deploy sandbox huge --during-freeze --set rollout.batch=1',
      }),
    );
    expect(text).toMatch(/^It would be refused, for \d+ reasons \(above\)\./m);
  });
});
