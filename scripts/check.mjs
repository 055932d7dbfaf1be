// Types, lint and tests, at the same time: tests mostly wait, and the compiler uses one core only. What the compiler and
// the linter say comes last, where it is read.
import { spawn } from 'node:child_process';

function run(script, stdio) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', script], { stdio });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        said += chunk;
      });
    }
    child.on('error', (error) => resolve({ script, ok: false, said: error.message }));
    child.on('close', (code) => resolve({ script, ok: code === 0, said: said.trim() }));
  });
}

const quietly = ['ignore', 'pipe', 'pipe'];
const [unit, ...others] = await Promise.all([run('unit', 'inherit'), run('types', quietly), run('lint', quietly)]);
for (const { script, ok, said } of others) console.log(`${script}: ${ok ? 'ok' : `FAILED\n${said}`}`);
if (!unit.ok) console.log('unit: FAILED, see above');
process.exitCode = [unit, ...others].every(({ ok }) => ok) ? 0 : 1;
