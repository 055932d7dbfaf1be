// `node --import ./bench/typescript.mjs`: lets Node load the TypeScript of test/e2e/lab and src. The benchmarks measure the
// built command, in its own process.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
