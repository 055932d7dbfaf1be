// Types, lint and tests in parallel: tests mostly wait, and the compiler uses only one core. The compiler's and the linter's
// output comes last, so that it is not overlooked.
import { spawn } from 'node:child_process';

function run(script, stdio) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', script], { stdio });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
      });
    }
    child.on('error', (error) => resolve({ script, ok: false, output: error.message }));
    child.on('close', (code) => resolve({ script, ok: code === 0, output: output.trim() }));
  });
}

const quietly = ['ignore', 'pipe', 'pipe'];
const [unit, ...others] = await Promise.all([run('unit', 'inherit'), run('types', quietly), run('lint', quietly)]);
for (const { script, ok, output } of others) console.log(`${script}: ${ok ? 'ok' : `FAILED\n${output}`}`);
if (!unit.ok) console.log('unit: FAILED, see above');
process.exitCode = [unit, ...others].every(({ ok }) => ok) ? 0 : 1;
