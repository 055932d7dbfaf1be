import { defineConfig } from 'vitest/config';

const report = process.env.DO_DEPLOY_E2E_REPORT;

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/e2e/lab/region-setup.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // One fleet at a time: the droplets' addresses are the same in each, and two cores are to be enough.
    fileParallelism: false,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
