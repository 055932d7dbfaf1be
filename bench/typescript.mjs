// `node --import ./bench/typescript.mjs`: Node reads the TypeScript of test/e2e/lab and src as it stands. For measuring
// only: what is measured is the built command, in a process of its own.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
