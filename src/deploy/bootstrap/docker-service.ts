/** Whether Docker Engine answers. A daemon that hangs accepts connections and says nothing: no question waits for it. */
import type { RemoteCommand } from '../../ports.js';
import { command } from '../core/shell.js';

/** Prints the version of Docker Engine. @param seconds how long it may take */
export function engineVersion(seconds: number): string {
  return `timeout ${seconds} docker version --format '{{.Server.Version}}'`;
}

/** Defines `answers`: whether Docker Engine, which was just started, answers within 30 tries, one or three seconds each. */
export const AWAIT_DOCKER = [
  'answers() {',
  '  tries=0',
  `  until ${engineVersion(2)} >/dev/null 2>&1; do`,
  '    tries=$((tries + 1))',
  '    [ "$tries" -lt 30 ] || return 1',
  '    sleep 1',
  '  done',
  '}',
];

/** As the user that deploys, after a login of its own: what every deploy needs. Prints the version of Docker. */
export function readyCommand(): RemoteCommand {
  return command('bootstrap-ready', {}, [engineVersion(10)]);
}
