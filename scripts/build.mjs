// Compiles src/ to dist/ and marks the command executable. Runs on `npm ci` (prepare), so `npx do-deploy` works at once.
import { execFileSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
// Compiled beside and then swapped, so that a failed build leaves the last good one.
const fresh = `dist.${process.pid}`;
try {
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], { stdio: 'inherit' });
  chmodSync(`${fresh}/cli/main.js`, 0o755);
  // Rendered once, so that --help need not load what parses arguments: it takes half the time.
  writeFileSync(`${fresh}/cli/help.txt`, execFileSync(process.execPath, [`${fresh}/cli/main.js`, '--help']));
  rmSync('dist', { recursive: true, force: true });
  renameSync(fresh, 'dist');
} catch (error) {
  rmSync(fresh, { recursive: true, force: true });
  // The compiler has said what is wrong.
  process.exitCode = typeof error.status === 'number' ? error.status : 1;
  if (typeof error.status !== 'number') throw error;
}
