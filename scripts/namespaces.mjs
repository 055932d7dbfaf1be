/**
 * Runs a command in namespaces of its own: network, mounts and processes are separate from this machine's. When its first
 * process ends, for whatever reason, the kernel ends all others and removes network and mounts. One folder and one control
 * group remain, which `cleanUp` removes. Used by the end-to-end tests and by the benchmarks on real droplets.
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
 * @param programs further programs that are needed, as pairs `program=package`
 */
export function obstacle(programs = []) {
  if (process.platform !== 'linux') return `they need Linux, but this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'they need root, to make network namespaces and start Docker Engine';
  if (!existsSync('/usr/bin/apt-get')) return 'they need Debian or Ubuntu, whose packages they install';
  const tried = spawnSync('unshare', [...NAMESPACES, 'true'], { encoding: 'utf8' });
  if (tried.status !== 0) return `namespaces cannot be created here: ${tried.stderr?.trim() || tried.error?.message}`;
  const bridge = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'bridge'], { encoding: 'utf8' });
  if (bridge.status !== 0 && !bridge.error) return `network bridges cannot be created here: ${bridge.stderr.trim()}`;
  const script = join(PROJECT, 'scripts/e2e-packages.sh');
  const packages = spawnSync('bash', [script, CACHE, ...programs], { stdio: ['ignore', 2, 2] });
  if (packages.status !== 0) return 'the packages that they need could not be installed (see above)';
  const nat = spawnSync('unshare', ['--net', 'iptables', '-t', 'nat', '-L'], { encoding: 'utf8' });
  if (nat.status !== 0) return `this kernel has no NAT for Docker: ${nat.stderr.trim()}`;
  return undefined;
}

/** Removes the folders of runs that were killed together with their parent. */
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

/** Removes control groups one by one, innermost first. */
function removeGroups(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(join(path, entry.name));
  }
  // Processes that were killed a moment ago may still be in it.
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

/** Creates a folder that a later run recognises and removes if this run is killed. */
export function ownFolder() {
  const folder = mkdtempSync(join(FOLDERS, PREFIX));
  // The homes of the droplets' users are below it.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'pid'), String(process.pid));
  return folder;
}

/** Copies what npm would install, so that a build during the run changes nothing. */
export function installInto(folder) {
  for (const part of ['dist', 'package.json', 'scripts/start-up.sh']) {
    cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
  }
}

/**
 * Starts Node in namespaces of its own, in the project's folder. The caller calls `cleanUp(folder)` when it has ended.
 * @param folder from `ownFolder`
 * @param installed the folder into which `installInto` copied do-deploy
 */
export function startInWorld(folder, installed, args, environment = {}) {
  // If this process is killed, the kernel kills the first process of the namespaces, and everything with it.
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
