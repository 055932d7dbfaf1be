#!/usr/bin/env node
/**
 * Runs the end-to-end tests on real droplets: OpenSSH, Docker Engine, compose and HAProxy on this machine, as root on
 * Linux.
 *
 *   npm run test:e2e [-- PART OF A FILE NAME... [-- OPTIONS OF VITEST...]]
 *
 * Each file runs in its own namespaces (namespaces.mjs). If the tests cannot run here, it prints the reason and exits with
 * 77: skipped.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  buildFreshRoot,
  cleanUp,
  installInto,
  obstacle,
  ownFolder,
  removeForgotten,
  startIsolated,
} from './namespaces.mjs';

const SKIPPED = 77;
/** Number of files that run in parallel. Each fleet of real droplets needs two cores. */
const IN_PARALLEL = Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
/** In the order in which they are started; the other files are shorter. */
const LONGEST_FIRST = [
  'compose-files',
  'interruptions',
  'failures',
  'bootstrap',
  'keep-alive',
  'releases',
  'release-files',
  'image-stores',
  'rollout',
];
const TESTS = 'test/e2e';
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

function skip(reason) {
  process.stdout.write(`The end-to-end tests were skipped: ${reason}.\n`);
  const report = process.env.DO_DEPLOY_E2E_REPORT;
  const none = { numTotalTests: 1, numPassedTests: 0, numFailedTests: 0, numPendingTests: 1, testResults: [] };
  if (report) writeFileSync(report, JSON.stringify(none));
  process.exit(SKIPPED);
}

/** @param wanted parts of file names; none: all files */
function chosenFiles(wanted) {
  const all = readdirSync(join(PROJECT, TESTS)).filter((name) => name.endsWith('.test.ts'));
  const place = (name) => [...LONGEST_FIRST, name.replace('.test.ts', '')].indexOf(name.replace('.test.ts', ''));
  return all
    .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
    .sort((a, b) => place(a) - place(b))
    .map((name) => join(TESTS, name));
}

/** Runs a test file in its own namespaces, with further options of vitest. Resolves to the exit code and vitest's report. */
function runTests(file, installed, children, options) {
  const folder = ownFolder();
  const report = join(folder, 'report.json');
  const vitest = [
    join(PROJECT, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config',
    'vitest.e2e.config.ts',
    file,
    ...options,
  ];
  const child = startIsolated(folder, installed, vitest, { DO_DEPLOY_E2E_REPORT: report });
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

/** Merges the reports. A file that failed without a failed test counts as one failed test. */
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

const given = process.argv.slice(2);
const end = given.includes('--') ? given.indexOf('--') : given.length;
const wanted = given.slice(0, end);
const files = chosenFiles(wanted);
if (files.length === 0) {
  console.error(`No file name in ${TESTS} contains ${wanted.join(' or ')}.`);
  process.exit(2);
}
if (files.some((file) => file.includes('bootstrap'))) buildFreshRoot();
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
  Array.from({ length: IN_PARALLEL }, async () => {
    for (let file = files.shift(); file !== undefined && !interrupted; file = files.shift()) {
      ends.push(await runTests(file, installed, children, given.slice(end + 1)));
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
