/**
 * A world of its own for a command: network, mounts and processes apart from this machine's. When its first process ends,
 * however it ends, the kernel ends all others and takes network and mounts along. What is left is one folder and one
 * control group, removed here. Used by the end-to-end tests and by the benchmarks on real droplets.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = '/var/cache/do-deploy-e2e';
const PREFIX = 'do-deploy-e2e-';
const FOLDERS = '/var/tmp';
const NAMESPACES = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'];
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Why real droplets cannot run on this machine, or undefined. Installs what they need.
 * @param programs further ones that are wanted, as pairs `program=package`
 */
export function obstacle(programs = []) {
  if (process.platform !== 'linux') return `they need Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'they need root, to make network namespaces and start Docker Engine';
  if (!existsSync('/usr/bin/apt-get')) return 'they need Debian or Ubuntu: their programs come from its packages';
  const tried = spawnSync('unshare', [...NAMESPACES, 'true'], { encoding: 'utf8' });
  if (tried.status !== 0) return `this machine makes no namespaces: ${tried.stderr?.trim() || tried.error?.message}`;
  const bridge = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'bridge'], { encoding: 'utf8' });
  if (bridge.status !== 0 && !bridge.error) return `this kernel makes no network bridges: ${bridge.stderr.trim()}`;
  const script = join(PROJECT, 'scripts/e2e-packages.sh');
  const packages = spawnSync('bash', [script, CACHE, ...programs], { stdio: ['ignore', 2, 2] });
  if (packages.status !== 0) return 'what they need could not be installed (see above)';
  const nat = spawnSync('unshare', ['--net', 'iptables', '-t', 'nat', '-L'], { encoding: 'utf8' });
  if (nat.status !== 0) return `this kernel has no NAT for Docker: ${nat.stderr.trim()}`;
  return undefined;
}

/** Folders of runs that were killed together with their starter. */
export function removeForgotten() {
  for (const name of readdirSync(FOLDERS).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(FOLDERS, name);
    const pid = existsSync(join(folder, 'pid')) ? Number(readFileSync(join(folder, 'pid'), 'utf8')) : 0;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) cleanUp(folder);
  }
}

export function cleanUp(folder) {
  const name = basename(folder);
  const hierarchies = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((entry) => `/sys/fs/cgroup/${entry}`)];
  for (const hierarchy of hierarchies) removeGroups(join(hierarchy, name));
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Control groups are removed one by one, the inner ones first. */
function removeGroups(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(path, entry.name));
  }
  // Processes that were killed a moment ago may not have left it yet.
  for (let tries = 1; ; tries += 1) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if (tries === 50) {
        process.stderr.write(`left behind: ${path} (${error.code})\n`);
        return;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

/** A folder that is known as ours, also to a later run when this one is killed. */
export function ownFolder() {
  const folder = mkdtempSync(join(FOLDERS, PREFIX));
  // Users of the droplets have their homes below it.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'pid'), String(process.pid));
  return folder;
}

/** What npm would install, as a copy: a build meanwhile changes nothing under a run. */
export function installInto(folder) {
  for (const part of ['dist', 'package.json']) cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
}

/**
 * Starts Node in a world of its own, in the project's folder. Its caller calls `cleanUp(folder)` when it has ended.
 * @param folder from `ownFolder`
 * @param installed where `installInto` has put do-deploy
 */
export function startInWorld(folder, installed, args, environment = {}) {
  // Should this process be killed, the kernel ends the namespaces' first one, and with it everything.
  return spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, 'docker-init', '--', process.execPath, ...args],
    {
      cwd: PROJECT,
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
        DO_DEPLOY_E2E_ROOT: folder,
        DO_DEPLOY_E2E_MAIN: join(installed, 'dist/main.js'),
        DO_DEPLOY_E2E_CACHE: CACHE,
        DO_DEPLOY_E2E_COMPOSE: join(CACHE, 'docker-compose'),
        DO_DEPLOY_E2E_CGROUP: basename(folder),
        ...environment,
      },
    },
  );
}
