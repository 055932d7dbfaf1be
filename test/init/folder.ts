/** A folder without a file system: what `init` finds in it. */
import { composeNeeds } from '../../src/init/compose-needs.js';
import { COMPOSE_BASES } from '../../src/init/suggestions.js';
import type { Survey } from '../../src/init/survey.js';

/** @param files by path, with their text; a path that ends in `/` is a folder */
export function aSurvey(files: Record<string, string> = {}, more: Partial<Survey> = {}): Survey {
  const paths = Object.keys(files);
  const exists = (path: string) => paths.some((one) => one === path || one.startsWith(`${path}/`));
  return {
    app: 'shop',
    exists,
    isFolder: (path) => exists(path) && !paths.includes(path),
    composeBases: COMPOSE_BASES.filter(exists),
    needs: (path) => composeNeeds(path, files[path] ?? ''),
    gitignore: files['.gitignore'],
    config: exists('config/deploy.yml') ? 'config/deploy.yml' : undefined,
    hasSchema: false,
    ...more,
  };
}
