/** Balancers that keep their connections to droplets: idle ones are not waited for, and none that carries something is cut. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandEnd, step } from './lab/command.js';
import { Fleet } from './lab/fleet.js';
import { DOWNLOAD_BYTES, KEEPING_NGINX, NODE_IMAGE, pushNodeImages } from './lab/node-images.js';

const DRAIN_TIMEOUT_MS = 30_000;
/** Longer than the longest download, and the time for which its connection may yet carry more. */
const DRAINED_WITHIN_MS = 22_000;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ droplets: 2, keepAlive: true });
  await pushNodeImages(fleet);
  await fleet.project.write(
    'config/.env.common',
    `APP_IMAGE=${NODE_IMAGE}\nNGINX_IMAGE=${NODE_IMAGE.replace(/\/node$/, '/nginx')}:1\n`,
  );
  await fleet.project.write('config/nginx/nginx.conf', KEEPING_NGINX);
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

/** Starts a download of 8 s every second. Returns how to stop, and how each of them ended. */
function downloads(): () => Promise<string[]> {
  const ends: Promise<string>[] = [];
  const timer = setInterval(() => ends.push(download()), 1_000);
  return async () => {
    clearInterval(timer);
    return await Promise.all(ends);
  };
}

async function download(): Promise<string> {
  try {
    const answer = await fetch(`${fleet.balancer.url}/download`);
    const { byteLength } = await answer.arrayBuffer();
    return answer.ok && byteLength === DOWNLOAD_BYTES ? 'whole' : `HTTP ${answer.status}, ${byteLength} bytes`;
  } catch (error) {
    return String((error as Error).cause ?? error);
  }
}

function drains({ events }: CommandEnd) {
  const names = fleet.machines.map(({ name }) => name);
  return names.flatMap((name) => {
    const end = events.find(step('step-finished', name, 'drain'));
    return end?.type === 'step-finished' ? [{ ms: end.ms, detail: end.detail ?? '' }] : [];
  });
}

async function rollUnderLoad(): Promise<void> {
  const load = fleet.load({ requestsPerSecond: 30, slowMs: 5_000, slowEvery: 15 });
  const stopDownloads = downloads();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  fleet.balancer.watchServing();
  const end = await fleet.deploy('v2');
  const [report, ends] = await Promise.all([load.stop(), stopDownloads()]);

  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(report).toMatchObject({ failed: 0, failures: [] });
  expect(report.byKind.slow).toBeGreaterThan(20);
  expect(report.byVersion).toMatchObject({ v1: expect.any(Number), v2: expect.any(Number) });
  expect(ends.length).toBeGreaterThan(10);
  expect(ends.filter((one) => one !== 'whole')).toEqual([]);
  expect(fleet.balancer.fewestServing).toBe(1);
  const drained = drains(end);
  process.stderr.write(
    `drained: ${drained.map(({ ms, detail }) => `${(ms / 1_000).toFixed(1)} s (${detail})`).join(', ')}\n`,
  );
  expect(drained).toHaveLength(2);
  for (const { ms, detail } of drained) {
    expect(ms).toBeLessThan(DRAINED_WITHIN_MS);
    expect(detail).toMatch(/; only idle connections left \(\d+\)$/);
  }
}

describe('where idle connections stay open', () => {
  it('a drain ends without them, and nothing is cut: nginx with kept connections on both sides', async () => {
    expect(DRAINED_WITHIN_MS).toBeLessThan(DRAIN_TIMEOUT_MS);
    await rollUnderLoad();
  });

  it('a drain ends without them, and nothing is cut: a server in Node, behind a proxy of which that is not known', async () => {
    fleet.record.backendKeepalive = false;
    const file = 'compose/node.yml';
    const healthcheck = "{ test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:3000/'], interval: 1s }";
    await fleet.project.write(
      file,
      `services:\n  app:\n    image: ${NODE_IMAGE}:\${IMAGE_TAG}\n    ports: ['80:3000']\n    healthcheck: ${healthcheck}\n`,
    );
    await fleet.project.configure({ compose: [file] });
    const first = await fleet.deployAtOnce('v1');
    expect(first).toMatchObject({ code: 0 });
    await fleet.balancer.allUp();
    await rollUnderLoad();
  });
});
