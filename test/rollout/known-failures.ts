/**
 * Failures of droplets as Docker, compose, runc, shells and runtimes print them, and what is said about each. The table in
 * docs/troubleshooting.md is made from it.
 */
import type { ContainerFindings, Findings } from '../../src/rollout/diagnosis.js';

export interface KnownFailure {
  /** For the table: what happened. */
  what: string;
  /** Of the rule that has to find it. */
  name: string;
  findings: Findings;
  sentence: string;
}

const HEALTHY: ContainerFindings = {
  service: 'app',
  state: 'running',
  exitCode: 0,
  oomKilled: false,
  restarts: 0,
  log: [],
  ports: [{ host: 80, container: 8080 }],
};

function findings(container: Partial<ContainerFindings>, rest: Partial<Findings> = {}): Findings {
  return {
    droplet: 'web-2',
    login: 'ssh deploy@203.0.113.2',
    code: 'unhealthy',
    failure: '',
    checkedPort: 80,
    containers: [{ ...HEALTHY, ...container }],
    ...rest,
  };
}

const ended = (exitCode: number, ...log: string[]) => ({ state: 'exited', exitCode, log }) as const;
const sick = (healthOutput: string, rest: Partial<ContainerFindings> = {}) =>
  findings({ health: 'unhealthy', healthOutput, ...rest });
const start = (failure: string) => findings({ state: 'created' }, { code: 'start-failed', failure });
const check = (detail: string, container: Partial<ContainerFindings> = {}) =>
  findings(container, {
    code: 'balancer-check-failed',
    failure: `The balancer's health check (http port 80 /healthz) fails on web-2: ${detail}.`,
  });
const listener = (port: number, rest = {}) => ({ port, loopback: false, family: 4 as const, ...rest });

export const KNOWN_FAILURES: readonly KnownFailure[] = [
  {
    what: 'The app exits with an error',
    name: 'exited',
    findings: findings(ended(3, 'starting', 'fatal: /app/settings.json: no such file')),
    sentence: 'app exited 3: fatal: /app/settings.json: no such file.',
  },
  {
    what: 'The container runs out of memory',
    name: 'out-of-memory',
    findings: findings({ ...ended(137, 'loading the catalogue'), oomKilled: true }),
    sentence: 'app ran out of memory and was killed (exit code 137).',
  },
  {
    what: 'The runtime fills its own heap',
    name: 'heap-full',
    findings: findings(ended(134, 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory')),
    sentence: 'app filled the heap that its runtime allows.',
  },
  {
    what: 'Something kills the container',
    name: 'killed',
    findings: findings(ended(137, 'ready')),
    sentence: 'app was killed (exit code 137): by the kernel for lack of memory, or by docker kill.',
  },
  {
    what: 'A segmentation fault',
    name: 'crash',
    findings: findings(ended(139)),
    sentence: 'app crashed with a segmentation fault (exit code 139).',
  },
  {
    what: 'The image is for another processor',
    name: 'other-processor',
    findings: findings(ended(1, 'exec /docker-entrypoint.sh: exec format error')),
    sentence: 'The program of app was built for another processor than that of web-2.',
  },
  {
    what: 'The command is not in the image',
    name: 'command-missing',
    findings: start(
      'The containers did not start: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "bin/server": stat bin/server: no such file or directory: unknown.',
    ),
    sentence: 'The image of app has no command bin/server.',
  },
  {
    what: 'The entrypoint is not executable',
    name: 'not-executable',
    findings: start(
      'The containers did not start: Error response from daemon: OCI runtime create failed: runc create failed: unable to start container process: exec: "/entrypoint.sh": permission denied: unknown.',
    ),
    sentence: '/entrypoint.sh in the image of app is not executable.',
  },
  {
    what: 'The command is not in the image, with init: true',
    name: 'command-missing',
    findings: findings({ ...ended(127, '[FATAL tini (7)] exec bin/server failed: No such file or directory') }),
    sentence: 'The image of app has no command bin/server.',
  },
  {
    what: 'The entrypoint is not executable, with init: true',
    name: 'not-executable',
    findings: findings({ ...ended(126, '[FATAL tini (6)] exec /entrypoint.sh failed: Permission denied') }),
    sentence: '/entrypoint.sh in the image of app is not executable.',
  },
  {
    what: 'The entrypoint has Windows line ends',
    name: 'interpreter-missing',
    findings: findings(ended(255, 'exec /entrypoint.sh: no such file or directory')),
    sentence: 'app cannot run /entrypoint.sh: the file, or the interpreter in its first line, is missing.',
  },
  {
    what: 'A library is not in the image',
    name: 'library-missing',
    findings: findings(ended(1, "Error: Cannot find module 'express'", 'Require stack:', '- /app/server.js')),
    sentence: 'The image of app lacks express.',
  },
  {
    what: "The healthcheck's command is not in the image",
    name: 'healthcheck-command-missing',
    findings: sick('/bin/sh: 1: curl: not found'),
    sentence: 'The healthcheck of app runs curl, which its image does not have.',
  },
  {
    what: "The healthcheck's command is not in the image (exec form)",
    name: 'healthcheck-command-missing',
    findings: sick(
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown',
    ),
    sentence: 'The healthcheck of app runs curl, which its image does not have.',
  },
  {
    what: 'The healthcheck asks localhost, which is ::1, and the app listens on IPv4',
    name: 'localhost-is-ipv6',
    findings: sick("wget: can't connect to remote host ([::1]:8080): Connection refused", {
      listening: [listener(8080, { loopback: true })],
    }),
    sentence: 'The healthcheck of app asks localhost, which is ::1 there; the app listens on IPv4 only.',
  },
  {
    what: "The healthcheck's start_period is too short",
    name: 'healthcheck-refused',
    findings: sick('curl: (7) Failed to connect to 127.0.0.1 port 8080 after 0 ms: Connection refused', {
      listening: [listener(8080)],
    }),
    sentence: 'The healthcheck of app gave up before the app had started: it listens on port 8080 by now.',
  },
  {
    what: 'The app does not listen yet when its healthcheck gives up',
    name: 'healthcheck-refused',
    findings: sick("wget: can't connect to remote host (127.0.0.1): Connection refused", { listening: [] }),
    sentence: 'app did not listen on any port when its healthcheck gave up.',
  },
  {
    what: 'The healthcheck asks another port',
    name: 'healthcheck-refused',
    findings: sick('curl: (7) Failed to connect to 127.0.0.1 port 8080 after 0 ms: Connection refused', {
      listening: [listener(3000)],
    }),
    sentence: 'app listens on port 3000; its healthcheck asks where nothing listens.',
  },
  {
    what: 'The healthcheck takes too long',
    name: 'healthcheck-slow',
    findings: sick('Health check exceeded timeout (1s)'),
    sentence: 'The healthcheck of app takes longer than its timeout.',
  },
  {
    what: 'The app listens on 127.0.0.1 only',
    name: 'loopback-only',
    findings: check('10.0.0.2:80 refused the connection', { listening: [listener(8080, { loopback: true })] }),
    sentence: 'app listens on 127.0.0.1:8080 only, where nothing outside its container can reach it.',
  },
  {
    what: 'The app listens on another port',
    name: 'other-port',
    findings: check('10.0.0.2:80 refused the connection', { listening: [listener(3000)] }),
    sentence: "app listens on port 3000, but the droplet's port 80 leads to its port 8080.",
  },
  {
    what: 'The app does not listen yet',
    name: 'other-port',
    findings: check('10.0.0.2:80 refused the connection', { listening: [] }),
    sentence: 'app listens on no port yet, so nothing answers at 8080.',
  },
  {
    what: 'A port of the droplet is in use',
    name: 'port-in-use',
    findings: start(
      'The containers did not start: Error response from daemon: driver failed programming external connectivity on endpoint shop-app-1 (b7a5): Bind for 0.0.0.0:80 failed: port is already allocated.',
    ),
    sentence: 'Port 80 of web-2 is in use by another program or container.',
  },
  {
    what: "A container's name is in use",
    name: 'name-in-use',
    findings: start(
      'The containers did not start: Error response from daemon: Conflict. The container name "/shop" is already in use by container "5a2c".',
    ),
    sentence: 'Another project on web-2 has a container named shop.',
  },
  {
    what: "The droplet's disk is full",
    name: 'disk-full',
    findings: start('The containers did not start: write /var/lib/docker/tmp/x: no space left on device.'),
    sentence: 'The disk of web-2 is full.',
  },
  {
    what: 'A file system is read-only',
    name: 'read-only',
    findings: findings(
      ended(1, 'nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)'),
    ),
    sentence: 'app writes to a file system that is read-only.',
  },
  {
    what: 'A mounted folder belongs to another user',
    name: 'no-permission',
    findings: findings(ended(1, "Error: EACCES: permission denied, open '/app/uploads/photo'")),
    sentence: 'app may not read or write /app/uploads/photo.',
  },
  {
    what: 'A variable is missing',
    name: 'variable-missing',
    findings: findings(ended(1, '    raise KeyError(key) from None', "KeyError: 'SECRET_KEY'")),
    sentence: 'app stops because the variable SECRET_KEY is missing.',
  },
  {
    what: 'The database cannot be reached',
    name: 'cannot-reach',
    findings: findings(ended(1, 'Error: getaddrinfo ENOTFOUND db.internal')),
    sentence: 'app cannot reach db.internal.',
  },
  {
    what: 'A dependency is unhealthy',
    name: 'dependency-unhealthy',
    findings: start('The containers did not start: dependency failed to start: container shop-db-1 is unhealthy.'),
    sentence: 'Compose started nothing that depends on shop-db-1, which is unhealthy.',
  },
  {
    what: 'The health check is redirected to HTTPS',
    name: 'check-redirected',
    findings: check('HTTP 301 in 2 ms'),
    sentence: 'The health check is redirected (301).',
  },
  {
    what: 'The app refuses the Host of the health check',
    name: 'host-refused',
    findings: check('HTTP 400 in 3 ms', {
      log: ["Invalid HTTP_HOST header: '10.0.0.2'. You may need to add '10.0.0.2' to ALLOWED_HOSTS."],
    }),
    sentence: 'app refuses the health check because of its Host header, which is an address.',
  },
  {
    what: 'The health check needs a login',
    name: 'check-needs-login',
    findings: check('HTTP 403 in 2 ms'),
    sentence: 'The app refuses the health check (403).',
  },
  {
    what: 'The health check is refused without a reason in the log',
    name: 'check-needs-host',
    findings: check('HTTP 400 in 3 ms'),
    sentence: 'The app refuses the health check (400), probably for its Host header, which is an address.',
  },
  {
    what: 'The path of the health check does not exist',
    name: 'check-path-missing',
    findings: check('HTTP 404 in 2 ms'),
    sentence: 'The path of the health check does not exist (404).',
  },
  {
    what: 'The app answers the health check with an error',
    name: 'check-app-error',
    findings: check('HTTP 503 in 4 ms'),
    sentence: 'The app answers the health check with an error (503).',
  },
  {
    what: 'The app expects the PROXY protocol',
    name: 'proxy-protocol-expected',
    findings: check('10.0.0.2:80 closed the connection', {
      log: [
        '2026/11/02 10:00:00 [error] 29#29: *1 broken header: "GET /healthz HTTP/1.1" while reading PROXY protocol, client: 10.0.0.9',
      ],
    }),
    sentence: 'app expects the PROXY protocol, which the balancer does not send.',
  },
  {
    what: 'The app does not understand the PROXY protocol',
    name: 'proxy-protocol-unexpected',
    findings: check('HTTP 400 in 1 ms', {
      log: ['10.0.0.9 - - [02/Nov/2026:10:00:00 +0000] "PROXY TCP4 10.0.0.9 10.0.0.2 5000 80" 400 157 "-" "-" "-"'],
    }),
    sentence: 'The balancer sends the PROXY protocol, which app does not understand.',
  },
  {
    what: "The droplet's clock is wrong",
    name: 'clock-wrong',
    findings: findings(
      ended(
        1,
        'tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2019-01-01',
      ),
    ),
    sentence: 'The clock of web-2 may be wrong: app rejects a certificate or signature because of its time.',
  },
  {
    what: 'Docker is older than the client in a container',
    name: 'docker-api',
    findings: findings(
      ended(1, 'Error response from daemon: client version 1.52 is too new. Maximum supported API version is 1.41'),
    ),
    sentence: 'The Docker client in app speaks API version 1.52, which is too new for Docker on web-2 (1.41).',
  },
  {
    what: 'Docker is newer than the client in a container',
    name: 'docker-api',
    findings: findings(
      ended(
        1,
        'Error response from daemon: client version 1.24 is too old. Minimum supported API version is 1.44, please upgrade',
      ),
    ),
    sentence: 'The Docker client in app speaks API version 1.24, which is too old for Docker on web-2 (1.44).',
  },
];
