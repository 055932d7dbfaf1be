/** `do-deploy sandbox up`: a region for a second terminal. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, type TestContext, vi } from 'vitest';
import { Command } from './command.js';

vi.setConfig({ testTimeout: 300_000 });

it('up keeps a region running for a second terminal; Ctrl-C leaves no process and no socket', async (test) => {
  const folder = newFolder(test);
  const up = new Command(test, ['sandbox', 'up', '--droplets', '1', '--folder', folder], { cwd: folder });
  await up.until('Ctrl-C ends it.');
  const info = JSON.parse(readFileSync(join(folder, 'sandbox.json'), 'utf8')) as {
    api: { url: string };
    control: string;
    balancer: { url: string };
  };
  const urls = [info.api.url, info.control, info.balancer.url];
  expect(await (await fetch(info.balancer.url)).text()).toBe('shop v1\n');

  const [, project] = /^ {2}cd (.*)$/m.exec(up.stdout) ?? [];
  expect(project).toBe(join(folder, 'project'));
  const status = await new Command(test, ['status', 'sandbox'], { cwd: project ?? '' }).ended;
  expect(status).toMatchObject({ code: 0, stderr: '' });
  expect(status.stdout).toMatch(/^web-1 +203\.0\.113\.1 +in +\S+-v1 +healthy$/m);

  // Its droplets' system is this machine's.
  for (const more of [[], ['--check']]) {
    const bootstrap = await new Command(test, ['bootstrap', 'sandbox', ...more], { cwd: project ?? '' }).ended;
    expect(bootstrap).toMatchObject({ code: 2, stderr: expect.stringContaining('it is a droplet of the sandbox') });
  }

  up.child.kill('SIGINT');
  expect(await up.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  for (const url of urls) await expect(fetch(url)).rejects.toThrow('fetch failed');
  expect(processesIn(folder)).toEqual([]);
});

function newFolder({ onTestFinished }: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'do-deploy-sandbox-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Processes with a working directory in the folder or below, where /proc shows them. */
function processesIn(folder: string): string[] {
  if (!existsSync('/proc/self/cwd')) return [];
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
    } catch {
      return false;
    }
  });
}
