/** Waits on a booting droplet, without a deployer, until the release is healthy: the rules of rollout/health.ts, in shell. */
import type { HttpCheckSettings } from '../../config/settings.js';
import type { ServiceSpec } from '../../rollout/health.js';
import { STEADY_MS } from '../../rollout/health.js';
import { quote, SECOND } from '../core/shell.js';

const STEADY_SECONDS = Math.ceil(STEADY_MS / SECOND);

/** Container by container: service, state, health, exit code, restarts, and when it was started. */
const FIELDS = [
  '{{index .Config.Labels "com.docker.compose.service"}}',
  '{{.State.Status}}',
  '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}',
  '{{.State.ExitCode}}',
  '{{.RestartCount}}',
  '{{.State.StartedAt}}',
].join(' ');

/** The services that are not healthy, as words; nothing: all are. */
const JUDGE = [
  '  NR == FNR { replicas[$1] = $2; stays[$1] = $3; oneshot[$1] = $4; order[++count] = $1; next }',
  '  $2 == "running" && ($3 == "healthy" || $3 == "none") && !oneshot[$1] { well[$1]++; next }',
  '  $2 == "exited" && $4 == 0 && (oneshot[$1] || !stays[$1]) { well[$1]++; next }',
  '  { state[$1] = $1 " is " $2 ($3 == "none" ? "" : ", " $3) ($2 == "running" ? "" : ", exit code " $4) }',
  '  END { for (i = 1; i <= count; i++) { s = order[i]; if (well[s] + 0 < replicas[s]) print (s in state ? state[s] : s " has no container") } }',
].join('\n');

/**
 * The script ends with 0 as soon as every service is healthy at two looks in a row, between which no container was started
 * anew; with 1 at the timeout, saying what is not healthy.
 */
export function healthScript(
  app: string,
  services: readonly ServiceSpec[],
  { timeoutMs, http }: { timeoutMs: number; http?: HttpCheckSettings | undefined },
): string {
  const wanted = services.map(({ name, replicas, stays, oneShot }) =>
    [name, replicas, stays ? 1 : 0, oneShot ? 1 : 0].join(' '),
  );
  const filters = [`project=${app}`, 'oneoff=False'].map((one) => `--filter label=com.docker.compose.${one}`).join(' ');
  return [
    'set -u',
    'here=$1',
    `printf '%s\\n' ${wanted.map(quote).join(' ')} >"$here/services"`,
    'look() {',
    `  ids=$(timeout 20 docker ps -aq --no-trunc ${filters}) || return 1`,
    // Ids are hexadecimal words.
    `  if [ -n "$ids" ]; then timeout 20 docker inspect --format ${quote(FIELDS)} $ids; fi`,
    '}',
    `judge() { awk ${quote(JUDGE)} "$here/services" "$here/seen"; }`,
    ...answers(http),
    `deadline=$(($(date +%s) + ${Math.ceil(timeoutMs / SECOND)}))`,
    'before=none',
    'while :; do',
    '  if look >"$here/seen" 2>/dev/null; then',
    '    sick=$(judge)',
    '    now=$(cat "$here/seen")',
    '    if [ -z "$sick" ]; then sick=$(answers); fi',
    '    if [ -z "$sick" ] && [ "$now" = "$before" ]; then exit 0; fi',
    '    if [ -z "$sick" ]; then before=$now; else before=none; fi',
    '  else',
    '    sick="Docker does not answer" before=none',
    '  fi',
    `  if [ "$(date +%s)" -ge $deadline ]; then echo "not healthy within ${Math.ceil(timeoutMs / SECOND)} s: $(echo "\${sick:-it was just started}" | tr '\\n' ';')" >&2; exit 1; fi`,
    `  sleep ${STEADY_SECONDS}`,
    'done',
  ].join('\n');
}

/** Prints why the app's own check fails; nothing: it passes, or there is none. */
function answers(http: HttpCheckSettings | undefined): string[] {
  if (http === undefined) return ['answers() { :; }'];
  const program = [
    'import sys, urllib.request',
    'try:',
    '    status = urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])).status',
    '    if not 200 <= status <= 299: print("the check of the app answers", status)',
    'except Exception as error: print("the check of the app fails:", error)',
  ].join('\n');
  const url = `http://127.0.0.1:${http.port}${http.path}`;
  return [`answers() { python3 -c ${quote(program)} ${quote(url)} ${http.timeoutMs / SECOND}; }`];
}
