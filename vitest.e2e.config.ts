import { defineConfig } from 'vitest/config';

const report = process.env.DO_DEPLOY_E2E_REPORT;

export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/e2e/lab/region-setup.ts'],
    testTimeout: 400_000,
    hookTimeout: 400_000,
    // One fleet at a time: all fleets use the same addresses, and two cores must be enough.
    fileParallelism: false,
    reporters: report ? ['verbose', ['json', { outputFile: report }]] : ['verbose'],
  },
});
