#!/usr/bin/env node
/**
 * End-to-end tests on real droplets: OpenSSH, Docker Engine, compose and HAProxy on this machine, as root on Linux.
 *
 *   npm run test:e2e [-- part of a file's name ...]
 *
 * Everything runs in namespaces of its own (network, processes, mounts): when the first process of them ends, however it
 * ends, the kernel ends all others and takes network and mounts along. What is left is one folder and one control group,
 * removed here. Where the tests cannot run, this says why and exits with 77, which means skipped.
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
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SKIPPED = 77;
/** Files that run side by side, each in a world of its own: most of the time they wait. */
const AT_ONCE = 2;
/** The others are shorter. */
const LONGEST_FIRST = ['interruptions', 'failures', 'rollout', 'trust'];
const CACHE = '/var/cache/do-deploy-e2e';
const PREFIX = 'do-deploy-e2e-';
const FOLDERS = '/var/tmp';
const TESTS = 'test/e2e';
const NAMESPACES = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'];
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

function obstacle() {
  if (process.platform !== 'linux') return `they need Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'they need root, to make network namespaces and start Docker Engine';
  if (!existsSync('/usr/bin/apt-get')) return 'they need Debian or Ubuntu: their programs come from its packages';
  const tried = spawnSync('unshare', [...NAMESPACES, 'true'], { encoding: 'utf8' });
  if (tried.status !== 0) return `this machine makes no namespaces: ${tried.stderr?.trim() || tried.error?.message}`;
  const bridge = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'bridge'], { encoding: 'utf8' });
  if (bridge.status !== 0 && !bridge.error) return `this kernel makes no network bridges: ${bridge.stderr.trim()}`;
  const packages = spawnSync('bash', [join(PROJECT, 'scripts/e2e-packages.sh'), CACHE], { stdio: 'inherit' });
  if (packages.status !== 0) return 'what they need could not be installed (see above)';
  const nat = spawnSync('unshare', ['--net', 'iptables', '-t', 'nat', '-L'], { encoding: 'utf8' });
  if (nat.status !== 0) return `this kernel has no NAT for Docker: ${nat.stderr.trim()}`;
  return undefined;
}

function skip(reason) {
  process.stdout.write(`The end-to-end tests were skipped: ${reason}.\n`);
  const report = process.env.DO_DEPLOY_E2E_REPORT;
  const none = { numTotalTests: 1, numPassedTests: 0, numFailedTests: 0, numPendingTests: 1, testResults: [] };
  if (report) writeFileSync(report, JSON.stringify(none));
  process.exit(SKIPPED);
}

/** Folders of runs that were killed together with this script. */
function removeForgotten() {
  for (const name of readdirSync(FOLDERS).filter((entry) => entry.startsWith(PREFIX))) {
    const folder = join(FOLDERS, name);
    const pid = existsSync(join(folder, 'pid')) ? Number(readFileSync(join(folder, 'pid'), 'utf8')) : 0;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) cleanUp(folder);
  }
}

function cleanUp(folder) {
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

/** @param wanted parts of names; none: all files */
function chosenFiles(wanted) {
  const all = readdirSync(join(PROJECT, TESTS)).filter((name) => name.endsWith('.test.ts'));
  const place = (name) => [...LONGEST_FIRST, name.replace('.test.ts', '')].indexOf(name.replace('.test.ts', ''));
  return all
    .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
    .sort((a, b) => place(a) - place(b))
    .map((name) => join(TESTS, name));
}

/** A folder that is known as ours, also to a later run when this one is killed. */
function ownFolder() {
  const folder = mkdtempSync(join(FOLDERS, PREFIX));
  // Users of the droplets have their homes below it.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'pid'), String(process.pid));
  return folder;
}

/** What npm would install, as a copy: a build meanwhile changes nothing under the tests. */
function installInto(folder) {
  for (const part of ['dist', 'package.json']) cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
}

/** Runs a file of tests in namespaces of their own. Settles with the exit code and vitest's report. */
function runTests(file, installed, children) {
  const folder = ownFolder();
  const report = join(folder, 'report.json');
  const vitest = [join(PROJECT, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.e2e.config.ts', file];
  // Should this process be killed, the kernel ends the namespaces' first one, and with it everything.
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, 'docker-init', '--', process.execPath, ...vitest],
    {
      cwd: PROJECT,
      stdio: 'inherit',
      env: {
        ...process.env,
        PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
        DO_DEPLOY_E2E_ROOT: folder,
        DO_DEPLOY_E2E_MAIN: join(installed, 'dist/cli/main.js'),
        DO_DEPLOY_E2E_CACHE: CACHE,
        DO_DEPLOY_E2E_COMPOSE: join(CACHE, 'docker-compose'),
        DO_DEPLOY_E2E_CGROUP: basename(folder),
        DO_DEPLOY_E2E_REPORT: report,
      },
    },
  );
  children.add(child);
  return new Promise((settle) => {
    child.on('exit', (code) => {
      children.delete(child);
      const results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
      cleanUp(folder);
      settle({ code: code ?? 1, results });
    });
  });
}

/** One report of all; a part that failed without a failed test counts as one. */
function merge(ends) {
  const sum = (field) => ends.reduce((total, { results }) => total + (results?.[field] ?? 0), 0);
  const lost = ends.filter(({ code, results }) => code !== 0 && !results?.numFailedTests).length;
  return {
    numTotalTests: sum('numTotalTests') + lost,
    numPassedTests: sum('numPassedTests'),
    numFailedTests: sum('numFailedTests') + lost,
    numPendingTests: sum('numPendingTests'),
    success: ends.every(({ code }) => code === 0),
    testResults: ends.flatMap(({ results }) => results?.testResults ?? []),
  };
}

const reason = obstacle();
if (reason !== undefined) skip(reason);
removeForgotten();

const files = chosenFiles(process.argv.slice(2));
const installed = ownFolder();
installInto(installed);
const children = new Set();
let interrupted;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = signal;
    for (const child of children) child.kill('SIGKILL');
  });
}
const ends = [];
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let file = files.shift(); file !== undefined && !interrupted; file = files.shift()) {
      ends.push(await runTests(file, installed, children));
    }
  }),
);
cleanUp(installed);
const merged = merge(ends);
if (process.env.DO_DEPLOY_E2E_REPORT) writeFileSync(process.env.DO_DEPLOY_E2E_REPORT, JSON.stringify(merged));
process.stdout.write(
  `${merged.numPassedTests} passed, ${merged.numFailedTests} failed, ${merged.numPendingTests} skipped\n`,
);
process.exitCode = interrupted ? 128 + constants.signals[interrupted] : Math.max(...ends.map(({ code }) => code));
