/** Runs one benchmark on real droplets, in the namespaces of ../run.mjs: `main.ts PART OPTIONS RESULT`, both JSON. */
import { writeFile } from 'node:fs/promises';
import setUpRegion from '../../test/e2e/lab/region-setup.js';
import { measureRolling, type RollingOptions } from './rolling.js';
import { measureUpload } from './upload.js';

const [part, options = '{}', result = ''] = process.argv.slice(2);
const leave = await setUpRegion();
try {
  const chosen = JSON.parse(options) as RollingOptions;
  const rows = part === 'rolling' ? await measureRolling(chosen) : await measureUpload(chosen);
  await writeFile(result, JSON.stringify(rows));
} finally {
  await leave();
}
