/** All actions of the bootstrap, in the order in which they are done. */
import type { Action } from './action.js';
import { daemonSettings } from './actions/daemon-settings.js';
import { docker } from './actions/docker.js';
import { firewall } from './actions/firewall.js';
import { sshd } from './actions/sshd.js';
import { sudo } from './actions/sudo.js';
import { swap } from './actions/swap.js';
import { timeSync } from './actions/time-sync.js';
import { upgrades } from './actions/upgrades.js';
import { user } from './actions/user.js';

/** The user is there before sshd is closed to passwords, and Docker before its group and its chain are used. */
export const ACTIONS: readonly Action[] = [
  timeSync,
  swap,
  docker,
  daemonSettings,
  user,
  sudo,
  sshd,
  firewall,
  upgrades,
];
