/**
 * Isolates a command in its own network, mount and process namespaces. When its first process ends, for whatever reason,
 * the kernel ends all others and removes network and mounts. One folder and one control group remain, which `cleanUp`
 * removes. Used by the end-to-end tests and the benchmarks on real droplets.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
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
 * Why real droplets cannot run on this machine, or undefined. Installs the packages that they need.
 * @param programs additional ones, as pairs `program=package`
 */
export function obstacle(programs = []) {
  if (process.platform !== 'linux') return `they need Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'they need root, to create network namespaces and start Docker Engine';
  if (!existsSync('/usr/bin/apt-get')) return 'they need Debian or Ubuntu, for its packages';
  const tried = spawnSync('unshare', [...NAMESPACES, 'true'], { encoding: 'utf8' });
  if (tried.status !== 0)
    return `this machine cannot create namespaces: ${tried.stderr?.trim() || tried.error?.message}`;
  const bridge = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'bridge'], { encoding: 'utf8' });
  if (bridge.status !== 0 && !bridge.error) return `this kernel cannot create network bridges: ${bridge.stderr.trim()}`;
  const script = join(PROJECT, 'scripts/e2e-packages.sh');
  const packages = spawnSync('bash', [script, CACHE, ...programs], { stdio: ['ignore', 2, 2] });
  if (packages.status !== 0) return 'their packages could not be installed (see above)';
  const nat = spawnSync('unshare', ['--net', 'iptables', '-t', 'nat', '-L'], { encoding: 'utf8' });
  if (nat.status !== 0) return `this kernel has no NAT for Docker: ${nat.stderr.trim()}`;
  return undefined;
}

/** The file system of a fresh droplet. Without a mirror of Debian there is none, and the tests that need it are skipped. */
export function buildFreshRoot() {
  spawnSync('bash', [join(PROJECT, 'scripts/e2e-fresh-root.sh'), CACHE], { stdio: ['ignore', 2, 2] });
}

/** Removes the folders of runs that were killed together with the process that started them. */
export function removeForgotten() {
  for (const name of readdirSync(FOLDERS).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(FOLDERS, name);
    const pid = existsSync(join(folder, 'pid')) ? Number(readFileSync(join(folder, 'pid'), 'utf8')) : 0;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) cleanUp(folder);
  }
}

export function cleanUp(folder) {
  for (const group of groupsOf(folder)) removeGroups(group);
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** The control group of a run's containers, in every hierarchy. */
function groupsOf(folder) {
  const hierarchies = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((entry) => `/sys/fs/cgroup/${entry}`)];
  return hierarchies.map((hierarchy) => join(hierarchy, basename(folder)));
}

/**
 * Gives the containers as much processor time as they want. The kernel would give all of them together only as much as one
 * process outside of a control group, such as one that pulls images: then their health checks time out.
 */
function favourContainers(folder) {
  const shares = groupsOf(folder).find((group) => existsSync(join(group, '../cpu.shares')));
  const group = shares ?? join('/sys/fs/cgroup', basename(folder));
  mkdirSync(group, { recursive: true });
  const [file, most] = shares === undefined ? ['cpu.weight', 10_000] : ['cpu.shares', 262_144];
  if (existsSync(join(group, file))) writeFileSync(join(group, file), String(most));
}

/** Removes control groups one by one, inner ones first. */
function removeGroups(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(path, entry.name));
  }
  // Killed processes may take a moment to leave it.
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

/** Creates a folder that a later run recognises and removes if this one is killed. */
export function ownFolder() {
  const folder = mkdtempSync(join(FOLDERS, PREFIX));
  // The droplets' users have their homes below it.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'pid'), String(process.pid));
  return folder;
}

/** Copies what npm would install, so that a build during a run does not affect it. */
export function installInto(folder) {
  for (const part of ['dist', 'package.json', 'scripts/start-up.sh']) {
    cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
  }
}

/**
 * Starts Node in its own namespaces, in the project's folder. The caller calls `cleanUp(folder)` when it has ended.
 * @param folder from `ownFolder`
 * @param installed from `installInto`
 */
export function startIsolated(folder, installed, args, environment = {}) {
  favourContainers(folder);
  // If this process is killed, the kernel ends the first process of the namespaces, and thereby all others.
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
