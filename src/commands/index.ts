/** All commands, in the order of help; the first one also runs without its name. */
import type { CommandList } from '../cli/define-command.js';

export const COMMANDS: CommandList = {
  deploy: () => import('./deploy.js'),
  status: () => import('./status.js'),
  heal: () => import('./heal.js'),
  adopt: () => import('./adopt.js'),
  promote: () => import('./promote.js'),
  abort: () => import('./abort.js'),
  rollback: () => import('./rollback.js'),
  history: () => import('./history.js'),
  logs: () => import('./logs.js'),
  run: () => import('./run.js'),
  exec: () => import('./exec.js'),
  console: () => import('./console.js'),
  ssh: () => import('./ssh.js'),
  tunnel: () => import('./tunnel.js'),
  bootstrap: () => import('./bootstrap.js'),
  tag: () => import('./tag.js'),
  tags: () => import('./tags.js'),
  'lock status': () => import('./lock/status.js'),
  'lock break': () => import('./lock/break.js'),
  'sandbox up': () => import('./sandbox/up.js'),
  'sandbox demo': () => import('./sandbox/demo.js'),
  completion: () => import('./completion.js'),
};
