/** ProxyCommand (ssh_config(5)): a local command whose input and output stand in for a TCP connection. */

import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { lastLine } from './output.js';

const MAX_STDERR = 2000;

export interface ProxiedSocket {
  socket: Duplex;
  /** Settles when the command has ended by itself, and all of its output was read. */
  ended: Promise<void>;
  /** How the command ended and what it printed last, for people; undefined while it runs in silence. */
  failure(): string | undefined;
}

/** The command gets a process group of its own: Ctrl-C at the terminal must not cut the connections of a rollout. */
export function openProxy(line: string): ProxiedSocket {
  const child = spawn('/bin/sh', ['-c', `exec ${line}`], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const socket = Duplex.from({ readable: child.stdout, writable: child.stdin });
  let stderr = '';
  let ended: string | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR);
  });
  child.on('error', (error) => {
    ended = error.message;
    socket.destroy(error);
  });
  child.on('exit', (code, signal) => {
    ended ??= signal === null ? `exit code ${code}` : `ended by ${signal}`;
  });
  socket.on('error', () => {});
  socket.on('close', () => stop(child.pid));
  return {
    socket,
    ended: new Promise((resolve) => child.once('close', () => resolve())),
    failure() {
      const said = lastLine(stderr);
      if (ended === undefined && said === '') return undefined;
      return [ended, said].filter(Boolean).join(': ');
    },
  };
}

function stop(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended.
  }
}
