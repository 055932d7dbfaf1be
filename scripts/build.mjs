// Compiles src/ to dist/ and marks the command executable. Runs on `npm ci` (prepare), so `npx do-deploy` works at once.
import { execFileSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
// Compiled beside and then swapped, so that a failed build leaves the last good one.
const fresh = `dist.${process.pid}`;
try {
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], { stdio: 'inherit' });
  chmodSync(`${fresh}/main.js`, 0o755);
  rmSync('dist', { recursive: true, force: true });
  renameSync(fresh, 'dist');
} catch (error) {
  rmSync(fresh, { recursive: true, force: true });
  // The compiler has said what is wrong.
  process.exitCode = typeof error.status === 'number' ? error.status : 1;
  if (typeof error.status !== 'number') throw error;
}
