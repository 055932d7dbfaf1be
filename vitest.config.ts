import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const report = process.env.DO_DEPLOY_TEST_REPORT;
/** These replace the network of their process, so they do not share it with other tests. */
const ADAPTERS = ['test/adapters/**/*.test.ts'];
// The long tests have a command of their own: npm run test:matrix.
const MATRIX = process.env.TEST_MATRIX !== undefined;
const LONG = MATRIX ? [] : ['test/**/*.long.test.ts'];

/** The simulation and whole rollouts take longest, some of them several minutes. */
const LONGEST = ['simulation/simulation', 'crash-matrix', 'lost-connection', 'api-faults', 'integration/'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((part) => moduleId.includes(part));
      return index < 0 ? LONGEST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/support/build-once.ts'],
    // Only against hanging: a slow, shared machine must not fail a test.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    sequence: { shuffle: { files: false, tests: true }, sequencer: LongestFirst },
    // For two cores. Each worker loads all modules. With more deploys under load at the same time, requests would wait for a
    // core until they time out.
    maxWorkers: MATRIX ? 2 : 3,
    maxConcurrency: MATRIX ? 3 : 5,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    // Files share a process and its loaded modules, which saves a third of the time. There are few long files.
    isolate: MATRIX,
    projects: [
      { extends: true, test: { name: 'adapters', include: ADAPTERS, exclude: LONG } },
      {
        extends: true,
        test: { name: 'others', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**', ...LONG, ...ADAPTERS] },
      },
    ],
  },
});
