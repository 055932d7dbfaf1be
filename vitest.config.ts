import { defineConfig } from 'vitest/config';

const report = process.env.DO_DEPLOY_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**'],
    globalSetup: ['test/support/build-once.ts'],
    // Bounds against hanging only: a slow, shared machine must not fail a test.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Real processes, sockets and time: on a shared machine in CI one that fails is tried once more, and told as such.
    retry: process.env.CI ? 1 : 0,
    sequence: { shuffle: true },
    // Two cores must be enough: the integration tests start processes of their own.
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
