#!/usr/bin/env node
/** The entry: hands the list of commands to the runner. The only place that ends the process. */
import { writeSync } from 'node:fs';
import { CommandLine } from './cli/command-line.js';
import { COMMANDS } from './commands/index.js';

const commandLine = new CommandLine(COMMANDS, process.argv.slice(2));
// Node would print the error with all that it carries, and a library's error may carry a request with its token.
process.on('uncaughtException', (error) => {
  if (!commandLine.interrupt(error)) void commandLine.fail(error).then(exit);
});
let isOver = false;
// A layer of the project may end the process: without a result, nobody may take that for a success.
process.on('exit', (code) => {
  if (isOver || code !== 0) return;
  writeSync(2, 'error: The process was ended from within, for example by process.exit in a layer.\n');
  process.exitCode = 1;
});
const exit = (code: number) => {
  isOver = true;
  process.exit(code);
};
// No await at the top level: the bundle is CommonJS, which Node loads faster.
void commandLine.run().then(exit);
