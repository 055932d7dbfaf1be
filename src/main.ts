#!/usr/bin/env node
/** The entry: hands the list of commands to the runner. The only place that ends the process. */
import { CommandLine } from './cli/command-line.js';
import { COMMANDS } from './commands/index.js';

const commandLine = new CommandLine(COMMANDS, process.argv.slice(2));
// Node would print the error with all that it carries, and a library's error may carry a request with its token.
process.on('uncaughtException', (error) => {
  if (!commandLine.interrupt(error)) void commandLine.fail(error).then((code) => process.exit(code));
});
// No await at the top level: the bundle is CommonJS, which Node loads faster.
void commandLine.run().then((code) => process.exit(code));
