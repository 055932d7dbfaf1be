// `npm run bench`: prints what docs/performance.md holds. Nothing here is a test; run it on a quiet machine.
import { measureScale } from './scale.mjs';
import { measureStartUp } from './start-up.mjs';

const out = (text) => process.stdout.write(`${text}\n`);
const table = (rows) => {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first);
  out(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
  for (const row of rows) out(`| ${columns.map((column) => row[column]).join(' | ')} |`);
};

out('## Start-up\n');
table(measureStartUp());
out('\n## Scale: sandbox droplets behind a tag-managed balancer, batches of 10%, instant Docker and balancer\n');
table(await measureScale());
