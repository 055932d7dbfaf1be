/** Before any test: dist/ is what src/ says, because the integration tests run the real command. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';

export default function buildIfStale(): void {
  const built = existsSync('dist/main.js') ? statSync('dist/main.js').mtimeMs : 0;
  const newest = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(`${entry.parentPath}/${entry.name}`).mtimeMs)
    .reduce((a, b) => Math.max(a, b), 0);
  if (built < newest) execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
}
