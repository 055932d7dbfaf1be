#!/usr/bin/env node
/** The entry: hands the list of commands to the runner. The only place that ends the process. */
import { writeSync } from 'node:fs';
import { CommandLine } from './cli/command-line.js';
import { COMMANDS } from './commands/index.js';

// Layers of the project find one that throws.
const end = process.exit.bind(process);
const commandLine = new CommandLine(COMMANDS, process.argv.slice(2));
// Node would print the error with all that it carries, and a library's error may carry a request with its token.
process.on('uncaughtException', (error) => {
  if (!commandLine.interrupt(error)) void commandLine.fail(error).then(exit);
});
let isOver = false;
// Without a result, nobody may take the code for one of do-deploy's.
process.on('exit', () => {
  if (isOver) return;
  writeSync(2, 'error: The process was ended from within, for example by a layer.\n');
  process.exitCode = 1;
});
const exit = (code: number) => {
  isOver = true;
  end(code);
};
// No await at the top level: the bundle is CommonJS, which Node loads faster.
void commandLine.run().then(exit);
