/** Arguments that several commands share. */
import { duration, flag, list, names, numberedFlag, required, text } from './arguments.js';
import { EXIT } from './exit-codes.js';

/** Every command has these. */
export const commonOptions = {
  config: text({
    value: 'FILE',
    describe: 'Configuration file (default: config/deploy.yml, here or in a folder above)',
  }),
  set: list({
    value: 'KEY=VALUE',
    describe: 'Use another setting for this run, such as rollout.batch=2; may be given several times',
  }),
  json: flag({ describe: 'Print one JSON object per line' }),
  quiet: flag({ describe: 'Print only warnings, failures and the end' }),
  verbose: flag({ describe: 'Also print each step, each remote command with its time, and the origin of errors' }),
  debug: flag({ describe: 'As --verbose, with API requests, connections, exit codes and sizes' }),
  noColor: flag({ describe: 'Print without colours, as with the variable NO_COLOR' }),
};

/** They end the parsing: nothing is run. */
export const informationOptions = {
  help: flag({ alias: 'h', describe: 'Print this help' }),
  version: flag({ describe: 'Print the version' }),
};

export const environment = required(text({ describe: 'An environment of config/deploy.yml' }));

/** Where runs leave their files. */
export const logDir = text({
  value: 'FOLDER',
  describe: 'Folder for the logs and events of runs; 50 stay (default: ~/.local/state/do-deploy)',
});

export const rolloutOptions = {
  logDir,
  report: text({
    value: 'FILE',
    describe: 'Write a page about the run to this HTML file, also if it fails or is interrupted',
  }),
  allowDowntime: flag({ describe: 'Deploy even if too few droplets keep serving, as with a single droplet' }),
  waitLock: duration({ describe: 'Wait this long for another deploy to end, for example 10m', example: '10m' }),
  confirm: list({
    value: 'NAME',
    describe: 'Confirm an item of the checklist, by its name; may be given several times',
  }),
};

export const partOptions = {
  canary: numberedFlag({
    value: 'N',
    max: 1_000,
    describe: 'Deploy to the first batch, or to N droplets, and hold the rest until `promote` or `abort`',
  }),
  droplets: names({
    describe: 'Deploy to these droplets, and hold the rest until `promote` or `abort`',
    example: 'web-1,web-3',
  }),
};

/** For what brings a release; `heal` repairs, and needs none. */
export const freezeOption = {
  duringFreeze: flag({ describe: 'Deploy although the environment is frozen' }),
};

export const protectedOption = {
  confirmEnvironment: text({
    value: 'NAME',
    describe: 'Confirm a protected environment by its name, where nobody can be asked',
  }),
};

/** Of commands that change the fleet, with a lease. */
export const changeOptions = { ...rolloutOptions, ...protectedOption };

export const migrateOption = {
  skipMigrate: flag({ describe: 'Leave out the layer migrate' }),
};

export const skipOptions = {
  skipUnreachable: flag({
    describe: 'Leave out droplets that are off or do not answer; exit code 1 if there are any',
  }),
  skippedOk: flag({ describe: 'With --skip-unreachable: exit code 0 although droplets were skipped' }),
};

/** Of commands on one droplet. */
export const dropletOptions = {
  droplet: text({ value: 'NAME', describe: 'The droplet, by its name or id (default: the first in rotation)' }),
  role: text({ value: 'NAME', describe: 'Only droplets of this role' }),
};

/** Of commands that take one droplet out of rotation, or bring it back. */
export const namedDroplet = required(text({ describe: 'The droplet, by its name or id' }));

export const allOption = {
  all: flag({ describe: "On every droplet, without input; each line begins with the droplet's name" }),
};

export const programExits = {
  [EXIT.notRun]: 'run, exec, console, ssh: do-deploy itself failed; any other code is that of the program',
};

export const confirmOption = {
  yes: flag({ alias: 'y', describe: 'Do not ask for confirmation' }),
};

export const confirmExits = {
  [EXIT.usage]: 'wrong arguments or configuration, or a confirmation is missing',
  [EXIT.interrupted]: 'interrupted, or a question was not answered with yes',
};

export const rolloutExits = {
  [EXIT.failed]: 'failed, or how a change ended is not known',
  [EXIT.leaseHeld]: 'another deploy holds the lock',
  ...confirmExits,
};
