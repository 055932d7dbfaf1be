// `node --import ./bench/typescript.mjs` lets Node load the TypeScript of src/ and test/ directly. For tools only: what
// is measured is the built command, in a process of its own.
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
