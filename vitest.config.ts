import { defineConfig } from 'vitest/config';

const report = process.env.DO_DEPLOY_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The long ones have a command of their own: npm run test:matrix.
    exclude: ['test/e2e/**', ...(process.env.TEST_MATRIX === 'all' ? [] : ['test/**/*.long.test.ts'])],
    globalSetup: ['test/support/build-once.ts'],
    // Bounds against hanging only: a slow, shared machine must not fail a test.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    sequence: { shuffle: true },
    // For two cores: the integration tests mostly wait, and start processes of their own.
    maxWorkers: 3,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
